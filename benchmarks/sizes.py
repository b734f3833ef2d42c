"""`make bench-sizes`: does one alert cost the same for each person in a crowd of any size?

Each size has a fresh Tocsin (an empty database, new workers), so that a worker's peak memory is
due to that size alone and no size is slowed by the rows of another. Each is warmed up by a small
alert and then told so many times; rates are medians. Memory is the resident set, looked at every
50 ms from the start of the workers to the end of the last round; the larger worker counts.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass

from benchmarks import fanout, product, report
from benchmarks.memory import PeakMemory
from benchmarks.report import Report, say
from benchmarks.sink import local_sink

SMALL, MIDDLE, LARGE = 1_000, 10_000, 100_000
LEAST_RATE_RATIO = 0.9
MOST_MEMORY_RATIO = 1.2
MOST_MEMORY_MB = 200


@dataclass(frozen=True)
class Size:
    """What one size reached: deliveries a second of each round, and a worker's peak memory in MB."""

    members: int
    rates: list[float]
    peak_mb: float

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def measured(members: int, rounds: int) -> Size:
    """Run one size on a fresh stack."""
    with product.running(f"size-{members}") as tocsin, local_sink(tocsin.stack.home) as sink:
        workers = [process.pid for name, process in tocsin.stack.processes.items() if "worker" in name]
        with PeakMemory(workers) as memory:
            tocsin.seed(fanout.shops(sink, members))
            fanout.warm_up(tocsin, sink)
            rates = [fanout.ours(tocsin, sink, members) for _ in range(rounds)]
        size = Size(members, rates, memory.peak_mb)
    say(f"  {members:,} people: {size.rate:,.0f} deliveries/s, a worker's peak {size.peak_mb:.0f} MB")
    return size


def benchmark(options: argparse.Namespace) -> Report:
    scale = options.scale
    small, middle, large = (
        measured(max(1, round(members * scale)), options.rounds) for members in (SMALL, MIDDLE, LARGE)
    )
    rounds = [f"round {number + 1}" for number in range(options.rounds)]
    report.table(
        ["people", *rounds, "median/s", "of the middle", "worker MB", "of the middle"],
        [
            [
                f"{size.members:,}",
                *(f"{rate:,.0f}" for rate in size.rates),
                f"{size.rate:,.0f}",
                f"{size.rate / middle.rate:.2f}",
                f"{size.peak_mb:.0f}",
                f"{size.peak_mb / middle.peak_mb:.2f}",
            ]
            for size in (small, middle, large)
        ],
    )
    return result(small, middle, large)


def result(small: Size, middle: Size, large: Size) -> Report:
    rate_ratio, memory_ratio = large.rate / middle.rate, large.peak_mb / middle.peak_mb
    return Report(
        name="sizes",
        unit="deliveries/s",
        ours=large.rate,
        baselines={f"{small.members}": small.rate, f"{middle.members}": middle.rate},
        ratios={
            f"rate {large.members} / {middle.members}": rate_ratio,
            f"memory {middle.members} / {large.members}": 1 / memory_ratio,
            f"{MOST_MEMORY_MB} MB / memory {large.members}": MOST_MEMORY_MB / large.peak_mb,
        },
        musts={
            f"rate {large.members} >= {LEAST_RATE_RATIO} x {middle.members}": rate_ratio >= LEAST_RATE_RATIO,
            f"memory {large.members} <= {MOST_MEMORY_RATIO} x {middle.members}": (
                memory_ratio <= MOST_MEMORY_RATIO
            ),
            f"memory < {MOST_MEMORY_MB} MB": max(s.peak_mb for s in (small, middle, large)) < MOST_MEMORY_MB,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all sizes, to try it out")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
