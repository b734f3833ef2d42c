"""`make bench-welcome`: how long after a registration is answered is the welcome there?

Registrations one after the other, 200 that wait in each of two ways by turns, then 20 a second for 30 s in an
open loop. The clock starts when the answer with the tokens has been read. One client waits for the first
``GET /inbox`` that shows the welcome (asked again as soon as the one before is answered, after a short
pause under load), the next for the welcome's arrival on a stream, which can only be opened then, since it
takes the token. The baseline is what three steps cost by themselves, measured before and after: one
insert, and one job's round trip through the queue.
"""

import argparse
import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import psycopg
import uvloop

from benchmarks import latency, machine, product, report
from benchmarks.children import complete, python
from benchmarks.newcomer import newcomer
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say

ONE_BY_ONE, PER_S, SECONDS = 200, 20.0, 30.0
WAYS = ("readable", "streamed")
STEPS = 3
MOST_P50 = 1.5
# What SPEC.md promises on a quiet machine, in milliseconds.
PROMISED_P50_MS, PROMISED_P99_MS = 50, 150
BASELINE_S = 5.0
# Between two looks into one inbox while many are looked into at once.
PAUSE_S = 0.01
TIMEOUT_S = 30.0
UNTHROTTLED = {"REGISTER_RATE": "", "REGISTER_ACCOUNT_RATE": ""}

Waits = dict[str, list[float]]


class Newcomers:
    """Registers people and waits for their welcomes; ``waits`` holds the seconds of each."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self.waits: Waits = {name: [] for name in ("answered", *WAYS)}

    async def welcome(self, way: str, pause_s: float = 0.0) -> None:
        """Register somebody, and wait until their welcome is ``readable``, or has come by stream."""
        started = time.perf_counter()
        token = await self._register()
        answered = time.perf_counter()
        headers = {"Authorization": f"Bearer {token}"}
        async with asyncio.timeout(TIMEOUT_S):
            there = await (self._readable(headers, pause_s) if way == "readable" else self._streamed(headers))
        self.waits["answered"].append(answered - started)
        self.waits[way].append(there - answered)

    async def _register(self) -> str:
        async with self._session.post(f"{self._base_url}/auth/api/v1/register", json=newcomer()) as answer:
            if answer.status != 201:
                raise BenchmarkError(
                    f"a registration was answered with {answer.status}: {await answer.text()}"
                )
            said: dict[str, Any] = await answer.json()
        return str(said["access_token"])

    async def _readable(self, headers: dict[str, str], pause_s: float) -> float:
        while True:
            async with self._session.get(f"{self._base_url}/api/v1/inbox/", headers=headers) as answer:
                if answer.status != 200:
                    raise BenchmarkError(f"the inbox was answered with {answer.status}")
                page = await answer.json()
            if page["results"]:
                return time.perf_counter()
            await asyncio.sleep(pause_s)

    async def _streamed(self, headers: dict[str, str]) -> float:
        url = f"{self._base_url}/api/v1/inbox/stream/?last_event_id=0"
        async with self._session.get(url, headers=headers) as answer:
            if answer.status != 200:
                raise BenchmarkError(f"the stream was answered with {answer.status}")
            async for line in answer.content:
                if line.startswith(b"event: notice"):
                    return time.perf_counter()
        raise BenchmarkError("a stream ended before the welcome came")


async def one_after_the_other(newcomers: Newcomers) -> None:
    for _ in range(ONE_BY_ONE):
        for way in WAYS:
            await newcomers.welcome(way)


async def at_a_pace(newcomers: Newcomers) -> None:
    start = time.perf_counter()
    async with asyncio.TaskGroup() as under_way:
        for number in range(round(SECONDS * PER_S)):
            await asyncio.sleep(start + number / PER_S - time.perf_counter())
            under_way.create_task(newcomers.welcome(WAYS[number % len(WAYS)], PAUSE_S))


def measured(tocsin: Product, work: Callable[[Newcomers], Coroutine[Any, Any, None]]) -> Waits:
    async def run() -> Waits:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            newcomers = Newcomers(session, tocsin.stack.base_url)
            await work(newcomers)
            return newcomers.waits

    machine.settle()
    return uvloop.run(run())


def inserts(tocsin: Product) -> list[float]:
    """Return the seconds of single inserts, each a transaction of its own that is on disk at its end."""
    took = []
    with psycopg.connect(tocsin.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_row (id uuid PRIMARY KEY, body text)")
        for _ in range(round(BASELINE_S * latency.PER_S)):
            started = time.perf_counter()
            connection.execute("INSERT INTO bench_row VALUES (%s, %s)", [uuid.uuid4(), "welcome " * 20])
            took.append(time.perf_counter() - started)
            time.sleep(max(0.0, 1 / latency.PER_S - took[-1]))
    return took


def baselines(tocsin: Product) -> tuple[list[float], list[float]]:
    machine.settle()
    return inserts(tocsin), latency.queue_round_trips(tocsin, BASELINE_S)


def show(title: str, waits: Waits) -> None:
    rows = []
    for name, seconds in waits.items():
        cuts = statistics.quantiles(seconds, n=100)
        figures = (cuts[49], cuts[89], cuts[98], max(seconds))
        rows.append([name, f"{len(seconds):,}", *(f"{each * 1000:.1f}" for each in figures)])
    say(title)
    report.table(["milliseconds", "count", "p50", "p90", "p99", "most"], rows)


def show_profile(tocsin: Product) -> None:
    """Print what a registration spends its time on, by a profile of the view in a process of its own."""
    answer = complete(
        python("-m", "benchmarks.registering"),
        question={"registrations": 50},
        log=tocsin.stack.home / "registering.log",
        env=tocsin.stack.env,
    )
    parts: dict[str, float] = answer["milliseconds"]
    total = sum(parts.values())
    rows = [[name, f"{each:.2f}", f"{each / total:.0%}"] for name, each in parts.items()]
    report.table(["a registration", "ms", "share"], [*rows, ["together", f"{total:.2f}", ""]])


def percentile(seconds: list[float], which: int) -> float:
    """Return a percentile in milliseconds."""
    return statistics.quantiles(seconds, n=100)[which - 1] * 1000


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("welcome", env=UNTHROTTLED) as tocsin:
        say("warming up")
        measured(tocsin, one_after_the_other)
        before = baselines(tocsin)
        say(f"{ONE_BY_ONE} registrations of each kind, one after the other")
        single = measured(tocsin, one_after_the_other)
        say(f"{PER_S:.0f} registrations/s for {SECONDS:.0f} s")
        paced = measured(tocsin, at_a_pace)
        after = baselines(tocsin)
        show("one after the other", single)
        show(f"at {PER_S:.0f}/s", paced)
        show("baselines", {"insert": before[0] + after[0], "no-op job": before[1] + after[1]})
        show_profile(tocsin)
    return result(single, paced, before[0] + after[0], before[1] + after[1])


def result(single: Waits, paced: Waits, insert: list[float], job: list[float]) -> Report:
    steps_ms = STEPS * (percentile(insert, 50) + percentile(job, 50))
    p50 = {name: percentile(single[name], 50) for name in ("readable", "streamed")}
    p99 = {name: percentile(single[name], 99) for name in ("readable", "streamed")}
    return Report(
        name="welcome",
        unit="ms",
        ours=p50["readable"],
        baselines={"3 x (insert + job)": steps_ms},
        ratios={
            "steps / readable": steps_ms / p50["readable"],
            "steps / streamed": steps_ms / p50["streamed"],
            "steps / readable at 20/s": steps_ms / percentile(paced["readable"], 50),
            "steps / streamed at 20/s": steps_ms / percentile(paced["streamed"], 50),
        },
        musts={
            f"p50 readable <= {MOST_P50} x steps": p50["readable"] <= MOST_P50 * steps_ms,
            f"p50 streamed <= {MOST_P50} x steps": p50["streamed"] <= MOST_P50 * steps_ms,
            f"p50 readable < {PROMISED_P50_MS} ms": p50["readable"] < PROMISED_P50_MS,
            f"p99 readable < {PROMISED_P99_MS} ms": p99["readable"] < PROMISED_P99_MS,
        },
    )


def main() -> int:
    return report.run(benchmark, report.parser(__doc__).parse_args())


if __name__ == "__main__":
    sys.exit(main())
