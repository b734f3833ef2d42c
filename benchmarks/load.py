"""The load generator, in a process of its own: posts alerts in a closed or an open loop.

Reads one line of JSON (see ``Order``), answers with one line of JSON.
"""

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.client import Connection, Target

MOST_IDLE_S = 2.0


@dataclass(frozen=True)
class Order:
    """What to do. ``connections`` is for the closed loop, ``per_s`` for the open one.

    Closed: so many connections, each posting its next alert when the last is answered; with ``batch``, so
    many alerts a request.
    Open: one alert every ``1 / per_s`` seconds, whatever became of those before.
    """

    mode: str
    url: str
    locations: list[str]
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 16
    per_s: float = 50.0
    warm_up_s: float = 1.0
    batch: int | None = None
    # What Alertmanager sends, of so many alerts, in place of shop alerts.
    alertmanager: bool = False

    @property
    def accepted(self) -> int:
        """The status of an answer that accepts all of a request."""
        return 201 if self.batch is None else 200


@dataclass(slots=True)
class Tally:
    """What came back: statuses, seconds per request, and the first answer that was not as it should be."""

    accepted: int

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    complaint: str = ""

    def add(self, status: int, body: bytes, seconds: float) -> None:
        self.statuses[status] += 1
        self.seconds.append(seconds)
        if status != self.accepted and not self.complaint:
            self.complaint = f"{status}: {body[:500].decode(errors='replace')}"


def alert(location: str) -> tuple[str, bytes]:
    """One alert as a camera system would post it, new each time: its id, and the body."""
    alert_uuid = str(uuid.uuid4())
    content = {
        "url": f"https://cameras.example.com/clips/{alert_uuid}.mp4",
        "location": location,
        "alert_uuid": alert_uuid,
        "label": "theft",
        "time_spotted": round(time.time(), 3),
    }
    return alert_uuid, json.dumps(content).encode()


def firing(location: str) -> dict[str, Any]:
    """One alert as Prometheus raises it, new each time."""
    return {
        "status": "firing",
        "labels": {"alertname": "InstanceDown", "instance": f"{location}:9100", "severity": "page"},
        "annotations": {"summary": f"{location} can't be reached"},
        "startsAt": "2026-11-30T09:14:02.511Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com:9090/graph",
        "fingerprint": uuid.uuid4().hex[:16],
    }


def _body(order: Order, location: str) -> bytes:
    if order.alertmanager:
        alerts = [firing(location) for _ in range(order.batch or 1)]
        body = {"version": "4", "status": "firing", "receiver": "tocsin", "groupKey": "{}", "alerts": alerts}
        return json.dumps(body).encode()
    if order.batch is None:
        return alert(location)[1]
    return b"[" + b",".join(alert(location)[1] for _ in range(order.batch)) + b"]"


async def closed_loop(order: Order) -> dict[str, Any]:
    target = Target.of(order.url, order.headers)
    begins_at = time.perf_counter() + order.warm_up_s
    ends_at = begins_at + order.seconds
    total, counted = Tally(order.accepted), Tally(order.accepted)

    async def keep_posting(number: int) -> None:
        connection = await Connection.open(target)
        location = order.locations[number % len(order.locations)]
        while (sent_at := time.perf_counter()) < ends_at:
            status, body = await connection.post(target.request(_body(order, location)))
            now = time.perf_counter()
            total.add(status, body, now - sent_at)
            if begins_at <= now <= ends_at:
                counted.add(status, body, now - sent_at)
        connection.close()

    await asyncio.gather(*(keep_posting(number) for number in range(order.connections)))
    return {
        "per_s": counted.statuses[order.accepted] * (order.batch or 1) / order.seconds,
        "statuses": total.statuses,
        "seconds": counted.seconds,
        "complaint": total.complaint,
    }


async def open_loop(order: Order) -> dict[str, Any]:
    target = Target.of(order.url, order.headers)
    idle = [await Connection.open(target) for _ in range(order.connections)]
    tally = Tally(order.accepted)
    posted: list[tuple[str, float]] = []
    lags: list[float] = []

    async def post(location: str, due_at: float) -> None:
        alert_uuid, body = alert(location)
        # The server closes what has been idle for some seconds, perhaps at this very moment.
        while idle and (idle[-1].closed or time.monotonic() - idle[-1].idle_since > MOST_IDLE_S):
            idle.pop().close()
        connection = idle.pop() if idle else await Connection.open(target)
        lags.append(time.perf_counter() - due_at)
        started = time.perf_counter()
        posted.append((alert_uuid, time.time()))
        status, answer = await connection.post(target.request(body))
        tally.add(status, answer, time.perf_counter() - started)
        if not connection.closed:
            idle.append(connection)

    count = round(order.seconds * order.per_s)
    start = time.perf_counter() + 0.2
    async with asyncio.TaskGroup() as under_way:
        for number in range(count):
            due_at = start + number / order.per_s
            await asyncio.sleep(due_at - time.perf_counter())
            under_way.create_task(post(order.locations[number % len(order.locations)], due_at))
    return {
        "posted": posted,
        "lags": lags,
        "statuses": tally.statuses,
        "seconds": tally.seconds,
        "complaint": tally.complaint,
    }


def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    loop = {"closed": closed_loop, "open": open_loop}[order.mode]
    print(json.dumps(uvloop.run(loop(order))), flush=True)


if __name__ == "__main__":
    main()
