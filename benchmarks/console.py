"""`make bench-console`: how soon 200 open consoles show what changes, and how soon the history answers.

While 200 alerts a second are told to five people each, an escalation starts every second; the clock runs from
its POST until each console, of people in three languages and two time zones, has the panel with its name. The
baseline is the same load with no console open: what consoles cost those who are to be told. Then lists and
searches are asked for, one after the other, over millions of past deliveries made by SQL.
"""

import argparse
import http.client
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote, urlencode

import psycopg

from benchmarks import aged, machine, product, report, small
from benchmarks.children import complete, python, running
from benchmarks.escalations import Client
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink
from benchmarks.streams import Listeners

SHOPS, PEOPLE = small.SHOPS, small.PEOPLE
PATH = "/console/stream/"
PER_S, WARM_UP_S = 200.0, 5.0
MOST_SEEN_S, MOST_ANSWER_S = 1.0, 0.15
#: How long something rings that is to be seen; consoles show the oldest first, and not everything.
RINGS_S = 5.0
AFTERWARDS_S = 3.0
#: Of each list and search.
TIMES = 100


class Starts:
    """Starts an escalation every second, and stops it later, in a thread, until told to end."""

    def __init__(self, tocsin: Product) -> None:
        self.begun: dict[int, float] = {}
        self._ends = threading.Event()
        self._client = Client(tocsin)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Starts":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        rings: list[int] = []
        while not self._ends.wait(1.0):
            key = len(self.begun)
            self.begun[key] = time.time()
            self._client.start(_name(key), [("http://127.0.0.1:9/", time.time() + 3600)])
            rings.append(key)
            if len(rings) > RINGS_S:
                self._client.stop(_name(rings.pop(0)))
        for key in rings:
            self._client.stop(_name(key))
        self._client.close()


def _name(key: int) -> str:
    return f"oven-{key}."


def seen(
    tocsin: Product, sink: Sink, clients: Listeners, headers: list[dict[str, str]], seconds: float
) -> tuple[list[float], list[float]]:
    """Return the seconds until each console showed each start, and from POST to arrival of each delivery."""
    opened_s = clients.open(tocsin.stack.port, PATH, headers, pattern=r"oven-(\d+)\.")
    say(f"  {len(headers)} consoles opened in {opened_s:.1f} s")
    machine.settle()
    with Starts(tocsin) as starts:
        arrivals, _ = small.arrived(tocsin.alerts_url, tocsin.headers, tocsin, sink, seconds, PER_S)
    time.sleep(AFTERWARDS_S)
    first: dict[tuple[int, int], float] = {}
    for console, key, at in clients.wait_for(0):
        first[console, key] = min(at, first.get((console, key), at))
    clients.close()
    wanted = {(console, key) for console in range(len(headers)) for key in starts.begun}
    if missed := wanted - first.keys():
        raise BenchmarkError(f"{len(missed)} of {len(wanted)} were never seen")
    return [first[console, key] - starts.begun[key] for console, key in wanted], arrivals


def answers(tocsin: Product, headers: Mapping[str, str]) -> dict[str, list[float]]:
    """Return the seconds that each list and search took, over and over."""
    with psycopg.connect(tocsin.database_url) as connection:
        people = connection.execute(
            "SELECT user_id::text, email FROM notifications_contactpoint"
            " JOIN accounts_user ON uuid = user_id ORDER BY random() LIMIT 100"
        ).fetchall()
        deliveries = connection.execute(
            "SELECT id::text FROM notifications_delivery TABLESAMPLE BERNOULLI (0.1) LIMIT 100"
        ).fetchall()
    since = "2000-01-01T00:00"
    asked: dict[str, list[str]] = {
        "history, last week": ["/console/history/"],
        "history, all": [_history(since=since)],
        "history, one channel": [_history(since=since, channel="webhook")],
        "history, failed": [_history(since=since, status="failed")],
        "history, a channel never used": [_history(since=since, channel="sms")],
        "history, a reason that none has": [_history(since=since, reason="voicemail")],
        "history, a shop": [_history(since=since, shop="shop-1")],
        "history, a person": [_history(since=since, person=user_id) for user_id, _ in people],
        "a delivery": [f"/console/deliveries/{pk}/" for (pk,) in deliveries],
        "find a person": [f"/console/find/?q={quote(email)}" for _, email in people],
        "find an id": [f"/console/find/?q={pk}" for (pk,) in deliveries],
        "find nothing": ["/console/find/?q=nobody+is+called+that"],
        "now": ["/console/"],
    }
    client = http.client.HTTPConnection("127.0.0.1", tocsin.stack.port, timeout=60)
    return {
        name: [_took(client, path, headers) for path in islice(cycle(paths), TIMES)]
        for name, paths in asked.items()
    }


def _history(**filters: str) -> str:
    return f"/console/history/?{urlencode(filters)}"


def _took(client: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> float:
    began = time.perf_counter()
    client.request("GET", path, headers={**headers, "Accept": "text/html"})
    response = client.getresponse()
    response.read()
    if response.status != 200:
        raise BenchmarkError(f"{path} was answered with {response.status}")
    return time.perf_counter() - began


def benchmark(options: argparse.Namespace) -> Report:
    with (
        product.running("console") as tocsin,
        local_sink(tocsin.stack.home) as sink,
        running(
            python("-m", "benchmarks.listeners"), log=tocsin.stack.home / "listeners.log", piped=True
        ) as process,
    ):
        addresses = sink.addresses(SHOPS * PEOPLE)
        tocsin.seed({f"shop-{n}": addresses[n * PEOPLE : (n + 1) * PEOPLE] for n in range(SHOPS)})
        made: dict[str, Any] = complete(
            python("-m", "benchmarks.watchers"),
            question={"count": options.consoles},
            log=tocsin.stack.home / "watchers.log",
            env=tocsin.stack.env,
        )
        clients = Listeners(process)
        say("warming up")
        small.at_pace(tocsin, sink, WARM_UP_S, 50)
        say(f"{PER_S:.0f} alerts/s to {PEOPLE} people each for {options.seconds:.0f} s, without consoles")
        alone, _ = small.at_pace(tocsin, sink, options.seconds, PER_S)
        say(f"the same with {options.consoles} consoles")
        shown, beside = seen(tocsin, sink, clients, made["headers"], options.seconds)
        say(f"{options.history:,} past deliveries")
        aged.make_history(tocsin, options.history, len(addresses))
        took = answers(tocsin, made["headers"][0])
    return result(shown, alone, beside, took)


def result(
    shown: list[float], alone: list[float], beside: list[float], took: dict[str, list[float]]
) -> Report:
    figures = {"change to seen": shown, "alert, no console": alone, "alert, beside consoles": beside, **took}
    rows = []
    for name, seconds in figures.items():
        rows.append([name, f"{len(seconds):,}", *(f"{each:.1f}" for each in small.milliseconds(seconds))])
    report.table(["milliseconds", "count", "p50", "p99", "most"], rows)
    p99 = {name: statistics.quantiles(seconds, n=100)[98] for name, seconds in figures.items()}
    slowest = max(took, key=lambda name: p99[name])
    say(f"  the slowest list: {slowest}")
    return Report(
        name="console",
        unit="ms",
        ours=p99["change to seen"] * 1000,
        baselines={
            "alert alone": p99["alert, no console"] * 1000,
            "alert beside": p99["alert, beside consoles"] * 1000,
        },
        ratios={
            "1 s": MOST_SEEN_S / p99["change to seen"],
            "150 ms": MOST_ANSWER_S / p99[slowest],
        },
        musts={
            f"change to seen p99 < {MOST_SEEN_S:g} s": p99["change to seen"] < MOST_SEEN_S,
            f"each list and search p99 < {MOST_ANSWER_S * 1000:g} ms": p99[slowest] < MOST_ANSWER_S,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--consoles", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--history", type=int, default=20_000_000, help="past deliveries")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
