"""`make bench-lanes`: what does a destination that hangs cost the people behind the others?

Two kinds of rounds take turns: an alert to 2,000 people at a healthy sink, and one to the same
number plus as many, mixed among them, behind a destination that accepts and never answers. The
time is from the POST to the last arrival at the healthy sink. Each round's hung destination is a
new one (an address of its own on loopback), so that no circuit breaker knows it from before;
afterwards what still waits for it is cancelled, so that the next round starts clean.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import machine, product, report
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

MOST = 1.3
TIMEOUT_S = 120.0
CLEAN_UP_TIMEOUT_S = 90.0
# The healthy sink is at 127.0.0.1; the hung ones have addresses from here on.
FIRST_HUNG = 11


class Round:
    """The two shops of one round, and the sinks of their people."""

    def __init__(self, number: int, healthy: Sink, hung: Sink, people: int) -> None:
        self.alone, self.mixed = f"alone-{number}", f"mixed-{number}"
        self._first = number * 1_000_000
        self._healthy, self._hung, self._people = healthy, hung, people

    def healthy_addresses(self, shop: str) -> list[str]:
        first = self._first + (500_000 if shop == self.mixed else 0)
        return self._healthy.addresses(self._people, first=first)

    def shops(self) -> dict[str, list[str]]:
        """People of the mixed shop alternate, so that the order of work favours neither kind."""
        hung = self._hung.addresses(self._people, first=self._first)
        pairs = zip(self.healthy_addresses(self.mixed), hung, strict=True)
        return {
            self.alone: self.healthy_addresses(self.alone),
            self.mixed: [address for pair in pairs for address in pair],
        }


def seconds(tocsin: Product, healthy: Sink, shop: str, addresses: list[str]) -> float:
    """Return how long the healthy half of a shop's people takes."""
    machine.settle()
    return healthy.measure(lambda: tocsin.post_alert(shop), addresses, TIMEOUT_S)


def clean_up(tocsin: Product) -> None:
    """Cancel what waits for a hung destination, again as it comes back for a retry, until all is done."""
    deadline = time.monotonic() + CLEAN_UP_TIMEOUT_S
    while tocsin.count("status IN ('pending', 'sending')"):
        if time.monotonic() > deadline:
            raise product.BenchmarkError("sends to a hung destination did not end")
        tocsin.execute(
            "UPDATE notifications_delivery SET status = 'cancelled', reason = 'benchmark'"
            " WHERE status = 'pending'"
        )
        time.sleep(0.2)


@contextmanager
def hung_sink(tocsin: Product, number: int) -> Iterator[Sink]:
    with local_sink(tocsin.stack.home, host=f"127.0.0.{FIRST_HUNG + number}", behave="hang") as hung:
        yield hung


def one_round(tocsin: Product, healthy: Sink, number: int, people: int) -> tuple[float, float]:
    """Return the seconds of the healthy people alone, and of as many beside the hung ones."""
    with hung_sink(tocsin, number) as hung:
        this = Round(number, healthy, hung, people)
        tocsin.seed(this.shops())
        alone = seconds(tocsin, healthy, this.alone, this.healthy_addresses(this.alone))
        tocsin.wait_until_recorded()
        mixed = seconds(tocsin, healthy, this.mixed, this.healthy_addresses(this.mixed))
        if not hung.count():
            raise product.BenchmarkError("nothing was sent to the hung destination")
    # The hung sink is gone now, which ends the sends that were waiting for it.
    clean_up(tocsin)
    say(f"  {people:,} healthy alone: {alone:.2f} s; beside {people:,} hung: {mixed:.2f} s")
    return alone, mixed


def benchmark(options: argparse.Namespace) -> Report:
    people = options.deliveries // 2
    with product.running("lanes") as tocsin, local_sink(tocsin.stack.home) as healthy:
        tocsin.seed({"warm-up": (warm := healthy.addresses(200))})
        healthy.measure(lambda: tocsin.post_alert("warm-up"), warm, TIMEOUT_S)
        rounds = []
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            rounds.append(one_round(tocsin, healthy, number, people))
    alone, mixed = (statistics.median(each) for each in zip(*rounds, strict=True))
    report.table(
        ["seconds", *(f"round {number + 1}" for number in range(options.rounds)), "median"],
        [
            [name, *(f"{each[index]:.2f}" for each in rounds), f"{median:.2f}"]
            for index, (name, median) in enumerate([("healthy alone", alone), ("beside the hung", mixed)])
        ],
    )
    return Report(
        name="lanes",
        unit="s",
        ours=mixed,
        baselines={"alone": alone},
        ratios={"alone": alone / mixed},
        musts={f"beside the hung <= {MOST} x alone": mixed <= MOST * alone},
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--deliveries", type=int, default=4_000, help="half of them to hung destinations")
    parser.add_argument("--rounds", type=int, default=5)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
