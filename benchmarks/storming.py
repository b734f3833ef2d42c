"""Reports occurrences to integrations of four formats, in an open loop, in a process of its own.

Reads one line of JSON (see ``Order``), answers with one line of JSON: by format, the seconds from the time at
which each request was due to its answer, how often each key was sent and kept; and what else was answered.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import uvloop

from benchmarks.client import Broken, Connection, Target

# Idle for so long, a connection may be closed by the server at this very moment.
MOST_IDLE_S = 2.0
BEGAN_AT = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Order:
    """``occurrences`` of ``keys`` keys in so many seconds; ``integrations`` has each format's secret."""

    origin: str
    integrations: Mapping[str, str]
    occurrences: int
    keys: int
    seconds: float


class Said(NamedTuple):
    """An occurrence: the key, and how often that was said before."""

    key: str
    before: int

    @property
    def title(self) -> str:
        return f"{self.key} can't be reached"


def _alertmanager(said: Sequence[Said]) -> Any:
    """As two replicas send it that disagree on when it began: what repeats the same time isn't counted."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "InstanceDown", "instance": each.key, "severity": "page"},
            "annotations": {"summary": each.title},
            "startsAt": (BEGAN_AT + timedelta(seconds=each.before)).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com:9090/graph",
            "fingerprint": each.key,
        }
        for each in said
    ]
    return {"version": "4", "status": "firing", "receiver": "tocsin", "groupKey": "{}", "alerts": alerts}


def _generic(said: Sequence[Said]) -> Any:
    return {"alerts": [{"id": each.key, "name": each.title} for each in said]}


def _pagerduty(said: Sequence[Said]) -> Any:
    (each,) = said
    payload = {"summary": each.title, "source": each.key, "severity": "critical"}
    return {"event_action": "trigger", "dedup_key": each.key, "payload": payload}


def _opsgenie(said: Sequence[Said]) -> Any:
    (each,) = said
    return {"message": each.title, "alias": each.key, "priority": "P1"}


class Format(NamedTuple):
    """How one kind of client reports: its part of all occurrences, and how many it sends at once."""

    body: Callable[[Sequence[Said]], Any]
    path: str
    share: float
    at_once: int


FORMATS = {
    "alertmanager": Format(_alertmanager, "/integrations/alertmanager/{key}/", 0.4, 50),
    "generic": Format(_generic, "/integrations/generic/{key}/", 0.4, 50),
    "pagerduty": Format(_pagerduty, "/integrations/pagerduty/{key}/v2/enqueue", 0.1, 1),
    "opsgenie": Format(_opsgenie, "/integrations/opsgenie/v2/alerts", 0.1, 1),
}


class Request(NamedTuple):
    due_s: float
    format: str
    said: Sequence[Said]
    body: bytes


@dataclass(slots=True)
class Tally:
    """What came of the requests of a format."""

    seconds: list[float] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    complaint: str = ""


def requests_of(order: Order, name: str) -> Iterator[Request]:
    """Yield a format's requests, evenly spread; its keys come in any order, each equally often."""
    format_ = FORMATS[name]
    keys = [f"{name}-{number}" for number in range(max(1, round(order.keys * format_.share)))]
    count = round(order.occurrences * format_.share)
    said = [keys[number % len(keys)] for number in range(count)]
    random.Random(name).shuffle(said)
    before: Counter[str] = Counter()
    for first in range(0, count, format_.at_once):
        some = []
        for key in said[first : first + format_.at_once]:
            some.append(Said(key, before[key]))
            before[key] += 1
        body = json.dumps(format_.body(some)).encode()
        yield Request(first / count * order.seconds, name, some, body)


async def storm(order: Order) -> dict[str, Any]:
    targets = {
        name: Target.of(
            order.origin + FORMATS[name].path.format(key=key),
            {"Authorization": f"GenieKey {key}"} if name == "opsgenie" else {},
        )
        for name, key in order.integrations.items()
    }
    tallies = {name: Tally() for name in targets}
    idle: list[Connection] = []
    lags: list[float] = []

    async def post(request: Request, due_at: float) -> None:
        tally, target = tallies[request.format], targets[request.format]
        tally.sent.update(each.key for each in request.said)
        lags.append(time.perf_counter() - due_at)
        while idle and (idle[-1].closed or time.monotonic() - idle[-1].idle_since > MOST_IDLE_S):
            idle.pop().close()
        try:
            connection = idle.pop() if idle else await Connection.open(target)
            status, answer = await connection.post(target.request(request.body))
            if not connection.closed:
                idle.append(connection)
        except (Broken, OSError) as error:  # a time-out is an OSError
            status, answer = 0, repr(error).encode()
        tally.statuses[status] += 1
        if 200 <= status < 300:
            tally.seconds.append(time.perf_counter() - due_at)
        elif not tally.complaint:
            tally.complaint = f"{status}: {answer[:300].decode(errors='replace')}"

    requests = sorted(
        (request for name in targets for request in requests_of(order, name)),
        key=lambda request: request.due_s,
    )
    start = time.perf_counter() + 0.2
    async with asyncio.TaskGroup() as under_way:
        for request in requests:
            due_at = start + request.due_s
            await asyncio.sleep(due_at - time.perf_counter())
            under_way.create_task(post(request, due_at))
    return {
        "lag_s": max(lags),
        "formats": {
            name: {
                "seconds": tally.seconds,
                "sent": tally.sent,
                "statuses": tally.statuses,
                "complaint": tally.complaint,
            }
            for name, tally in tallies.items()
        },
    }


def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    print(json.dumps(uvloop.run(storm(order))), flush=True)


if __name__ == "__main__":
    main()
