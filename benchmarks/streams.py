"""`make bench-streams`: 2,000 open streams on one web process, while 100 notices a second are made.

Each notice is to one of the people, in turn, made as the product makes them, by a process of its own; an
open loop, so a stall counts for all that it delays. The clock starts before the notice is stored, so the
commit counts too, and stops when the client has it. The baseline is what streams cost at all: a bare ASGI
application on the same server, with as many streams, that gets the same events over Redis and knows
neither people nor a database.
"""

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from subprocess import Popen

import psutil
from redis import Redis

from benchmarks import machine, product, report
from benchmarks.bare import server as bare
from benchmarks.bare.streams import CHANNEL
from benchmarks.children import ask, python, running
from benchmarks.memory import PeakMemory
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from config.processes import free_port

PER_S = 100.0
WARM_UP_STREAMS, WARM_UP_NOTICES = 100, 200
ARRIVAL_TIMEOUT_S = 60.0
AFTERWARDS_S = 0.5
MOST_LAG_S = 0.02
MOST_KB = 50
PATH = "/api/v1/inbox/stream/"
# As large as what the product sends.
BARE_EVENT = (
    b'id: %d\nevent: notice\ndata: {"id":"019b0000-0000-7000-8000-000000000000","number":1,'
    b'"kind":"stage.accepted","title":"Your internship was accepted","body":"The company has accepted your '
    b'application. It begins on the first Monday of March.","data":{"key": %d, "stage_id": '
    b'"019b0000-0000-7000-8000-000000000000"},"severity":"standard","created_at":'
    b'"2026-01-01T00:00:00.000000Z","read_at":null}\n\n'
)


Arrivals = list[tuple[int, int, float]]  # stream, key, Unix seconds


@dataclass(frozen=True)
class Measured:
    """Seconds until each arrival; how many were missed, or came twice or to another; memory per stream."""

    seconds: list[float]
    missed: int
    wrong: int
    kb: float
    opened_s: float


class Listeners:
    """The clients, as a process of their own."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process

    def open(self, port: int, path: str, headers: list[dict[str, str]], **options: str) -> float:
        order = {"do": "open", "port": port, "path": path, "headers": headers, **options}
        return float(ask(self._process, order)["seconds"])

    def wait_for(self, count: int) -> Arrivals:
        """Return what has come, once that is so much or nothing more comes; no stream may be lost."""
        deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
        while ask(self._process, {"do": "count"})["count"] < count and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(AFTERWARDS_S)
        said = ask(self._process, {"do": "arrivals"})
        if said["lost"]:
            raise BenchmarkError(f"{said['lost']} streams were lost")
        return [(stream, key, at) for stream, key, at in said["arrivals"]]

    def close(self) -> None:
        ask(self._process, {"do": "close"})
        time.sleep(AFTERWARDS_S)


def measured(
    clients: Listeners,
    pid: int,
    port: int,
    path: str,
    headers: Sequence[dict[str, str]],
    tell: Callable[[int], Arrivals],
    count: int,
) -> Measured:
    """Open the streams and tell; ``tell`` sends so many notices and says when each was begun."""
    clients.open(port, path, list(headers[:WARM_UP_STREAMS]))
    tell(WARM_UP_NOTICES)
    clients.close()
    machine.settle()
    before = psutil.Process(pid).memory_info().rss
    with PeakMemory([pid]) as memory:
        opened_s = clients.open(port, path, list(headers))
        machine.settle()
        begun = {(stream, key): at for stream, key, at in tell(count)}
        arrivals = clients.wait_for(len(begun))
    clients.close()
    seen = Counter((stream, key) for stream, key, _ in arrivals)
    return Measured(
        seconds=[at - begun[stream, key] for stream, key, at in arrivals if (stream, key) in begun],
        missed=len(begun.keys() - seen.keys()),
        wrong=seen.total() - len(begun.keys() & seen.keys()),
        kb=(memory.peak_bytes - before) / len(headers) / 1000,
        opened_s=opened_s,
    )


class Teller:
    """Makes notices as the product does; keys go on from one round to the next."""

    def __init__(self, process: Popen[str]) -> None:
        self._process = process
        self._next = 0

    def people(self, count: int) -> list[dict[str, str]]:
        """Make so many people, and return what each of them logs in with."""
        tokens = ask(self._process, {"do": "people", "count": count})["tokens"]
        return [{"Authorization": f"Bearer {token}"} for token in tokens]

    def tell(self, count: int) -> Arrivals:
        order = {"do": "tell", "first": self._next, "count": count, "per_s": PER_S}
        self._next += count
        said = ask(self._process, order)
        show_lag(said["lags"])
        cuts = statistics.quantiles([after - before for _, _, before, after in said["told"]], n=100)
        took = f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
        say(f"  {count:,} notices; to store, commit and announce one took {took}")
        return [(stream, key, before) for stream, key, before, _ in said["told"]]


def publish(redis: Redis, streams: int, count: int) -> Arrivals:
    """Send the bare application as many events, at the same pace."""
    sent, lags = [], []
    start = time.perf_counter() + 0.2
    for key in range(count):
        due_at = start + key / PER_S
        time.sleep(max(0.0, due_at - time.perf_counter()))
        lags.append(time.perf_counter() - due_at)
        sent.append((key % streams, key, time.time()))
        redis.publish(CHANNEL, b"%d:" % (key % streams) + BARE_EVENT % (key, key))
    show_lag(lags)
    return sent


def show_lag(lags: list[float]) -> None:
    lag = statistics.quantiles(lags, n=100)[98]
    if lag > MOST_LAG_S:
        say(f"  note: the generator was late by {lag * 1000:.0f} ms at the 99th percentile")


def ours(tocsin: Product, clients: Listeners, options: argparse.Namespace) -> Measured:
    log, web = tocsin.stack.home / "notices.log", tocsin.stack.processes["web"]
    command = python("-m", "benchmarks.notices")
    with running(command, log=log, env=tocsin.stack.env, piped=True) as process:
        teller = Teller(process)
        headers = teller.people(options.streams)
        count = round(options.seconds * PER_S)
        return measured(clients, web.pid, tocsin.stack.port, PATH, headers, teller.tell, count)


def baseline(tocsin: Product, clients: Listeners, options: argparse.Namespace) -> Measured:
    url, port = tocsin.other_redis_url(5), free_port()
    command = python("-m", "uvicorn", "benchmarks.bare.streams:application", "--port", str(port))
    log = tocsin.stack.home / "bare.log"
    env = {**os.environ, "BARE_REDIS_URL": url}
    with (
        tocsin.paused(),
        running([*command, *bare.UVICORN], log=log, env=env) as process,
        Redis.from_url(url) as redis,
    ):
        bare.wait_for(f"http://127.0.0.1:{port}/", log)

        def tell(count: int) -> Arrivals:
            return publish(redis, options.streams, count)

        headers: list[dict[str, str]] = [{}] * options.streams
        return measured(clients, process.pid, port, "/{}", headers, tell, round(options.seconds * PER_S))


def benchmark(options: argparse.Namespace) -> Report:
    command = python("-m", "benchmarks.listeners")
    with (
        product.running("streams", workers=0, scheduler=False) as tocsin,
        running(command, log=tocsin.stack.home / "listeners.log", piped=True) as process,
    ):
        clients = Listeners(process)
        say(f"{options.streams:,} streams, {PER_S:.0f} notices/s for {options.seconds:.0f} s")
        product_s = ours(tocsin, clients, options)
        say("the same, bare")
        bare_s = baseline(tocsin, clients, options)
    return result(product_s, bare_s)


def result(product_s: Measured, bare_s: Measured) -> Report:
    rows = []
    for name, each in (("Tocsin", product_s), ("bare", bare_s)):
        cuts = statistics.quantiles(each.seconds, n=100)
        figures = (cuts[49], cuts[89], cuts[98], max(each.seconds))
        row = [name, f"{len(each.seconds):,}", each.missed, each.wrong]
        row += [f"{figure * 1000:.1f}" for figure in figures]
        rows.append([*row, f"{each.kb:.1f}", f"{each.opened_s:.1f}"])
    headers = ["", "arrived", "missed", "wrong", "p50 ms", "p90 ms", "p99 ms", "most ms", "KB/stream"]
    report.table([*headers, "opened in s"], rows)
    p99, bare_p99 = (statistics.quantiles(each.seconds, n=100)[98] * 1000 for each in (product_s, bare_s))
    return Report(
        name="streams",
        unit="ms",
        ours=p99,
        baselines={"bare": bare_p99, "bare KB/stream": bare_s.kb, "KB/stream": product_s.kb},
        ratios={"bare": bare_p99 / p99, "50 KB / stream": MOST_KB / product_s.kb},
        musts={
            "none missed, none twice": product_s.missed == product_s.wrong == 0,
            f"memory <= {MOST_KB} KB a stream": product_s.kb <= MOST_KB,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
