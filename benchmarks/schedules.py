"""`make bench-schedules`: how long does it take to learn who is on call, with 1,000 schedules?

One client asks the running product over HTTP, on one connection, each schedule in turn: for itself alone,
which is what reading it costs, then who is on call at some time of the coming month, then for the final row
of that month. Each has three layers of eight people with restrictions, a year old, and ten overrides.
"""

import argparse
import http.client
import random
import statistics
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from benchmarks import machine, product, report
from benchmarks.children import complete, python
from benchmarks.report import Report, say

ON_CALL_MS = 20.0
ROW_MS = 300.0
MONTH = timedelta(days=31)


def timed(port: int, key: str, paths: Iterable[str]) -> list[float]:
    """Ask for each of these pages below the schedules; return how long each took in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    for path in paths:
        started = time.perf_counter()
        connection.request(
            "GET", f"/api/v1/escalations/schedules/{path}", headers={"Authorization": f"Api-Key {key}"}
        )
        response = connection.getresponse()
        said = response.read()
        found.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise product.BenchmarkError(f"{path} was answered with {response.status}: {said[:300]!r}")
    connection.close()
    return found


def row_of(what: str, took: list[float]) -> list[str]:
    cuts = statistics.quantiles(took, n=100)
    return [what, f"{cuts[49]:.1f} ms", f"{cuts[98]:.1f} ms", f"{max(took):.1f} ms"]


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("schedules") as tocsin:
        made = complete(
            python("-m", "benchmarks.seed_schedules"),
            question={"schedules": options.schedules},
            log=tocsin.stack.home / "seed.log",
            env=tocsin.stack.env,
        )
        say(f"  {options.schedules:,} schedules, made in {made['seconds']:.0f} s")
        machine.settle()
        ids, chance, now = made["ids"], random.Random(1), datetime.now(UTC)
        times = [quote((now + chance.random() * MONTH).isoformat()) for _ in ids]
        month = f"begin={quote(now.isoformat())}&end={quote((now + MONTH).isoformat())}"

        def ask(paths: list[str]) -> list[float]:
            return timed(tocsin.stack.port, made["key"], paths)

        ask([f"{each}/on-call/" for each in ids[:20]])  # what is loaded and compiled once
        read = ask([f"{each}/" for each in ids])
        on_call = ask([f"{each}/on-call/?at={at}" for each, at in zip(ids, times, strict=True)])
        row = ask([f"{each}/final/?{month}" for each in ids])
    report.table(
        ["over HTTP", "p50", "p99", "most"],
        [
            row_of("the schedule alone", read),
            row_of("who is on call", on_call),
            row_of("a month's final row", row),
        ],
    )
    p99 = {name: statistics.quantiles(took, n=100)[98] for name, took in (("read", read), ("on", on_call))}
    return Report(
        name="schedules",
        unit="ms (p99)",
        ours=p99["on"],
        baselines={"the schedule alone": p99["read"]},
        ratios={"the schedule alone": p99["read"] / p99["on"]},
        musts={
            f"who is on call p99 < {ON_CALL_MS:.0f} ms": p99["on"] < ON_CALL_MS,
            f"a month's final row < {ROW_MS:.0f} ms": max(row) < ROW_MS,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--schedules", type=int, default=1_000)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
