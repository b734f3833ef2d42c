"""`make bench-lanes`: are destinations served fairly, and sent to as courteously as they ask?

What does a destination that hangs cost the people behind the others?
Two kinds of rounds take turns: an alert to 2,000 people at a healthy sink, and one to the same
number plus as many, mixed among them, behind a destination that accepts and never answers. The
time is from the POST to the last arrival at the healthy sink. Each round's hung destination is a
new one (an address of its own on loopback), so that no circuit breaker knows it from before;
afterwards what still waits for it is cancelled, so that the next round starts clean.

Then an alert to the people behind many destinations, as many behind each: how long does one of these wait for
its first? And one to a destination that answers more than so many a second with 429, with a ``rate`` a little
below that, which all workers keep to together: how long does it take, and is anybody not told?
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import machine, product, report
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

MOST = 1.3
TIMEOUT_S = 120.0
CLEAN_UP_TIMEOUT_S = 90.0
# The healthy sink is at 127.0.0.1; the hung ones have addresses from here on.
FIRST_HUNG = 11
# Those of the part with many lanes.
FIRST_OF_MANY = 101
FIRST_WITHIN_S = 1.0
# What the destination of the last part takes in a second, and what it asks the others to wait, in seconds.
LIMIT, RETRY_AFTER_S = 30, 2
WORKERS = 2
# Of the limit: its seconds and ours do not begin together.
KEPT_TO = 0.9


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
    while tocsin.count("true", table="notifications_outgoing"):
        if time.monotonic() > deadline:
            raise product.BenchmarkError("sends to a hung destination did not end")
        tocsin.execute(
            "WITH gone AS (DELETE FROM notifications_outgoing WHERE lease_until IS NULL"
            " RETURNING delivery_id) UPDATE notifications_delivery SET status = 'cancelled',"
            " reason = 'benchmark' WHERE id IN (SELECT delivery_id FROM gone)"
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


def first_of_many(tocsin: Product, lanes: int, each: int) -> float:
    """Return the seconds until the last of many equally busy lanes has had its first."""
    with ExitStack() as running:
        sinks = [
            running.enter_context(local_sink(tocsin.stack.home, host=f"127.0.0.{FIRST_OF_MANY + number}"))
            for number in range(lanes)
        ]
        addresses = [sink.addresses(each) for sink in sinks]
        # One after the other in their turn, so that the order of work favours none.
        tocsin.seed({"many": [address for people in zip(*addresses, strict=True) for address in people]})
        machine.settle()
        posted_at = tocsin.post_alert("many")
        for sink in sinks:
            sink.wait_for(each, TIMEOUT_S)
        tocsin.wait_until_recorded()
        firsts = [min(arrival.at for arrival in sink.arrivals()) - posted_at for sink in sinks]
    say(f"  {lanes} lanes of {each:,}: the first of each within {max(firsts):.2f} s")
    return max(firsts)


def limited(deliveries: int) -> tuple[float, int, int]:
    """Return the seconds that a destination with a limit takes, how many were not told, and the refusals."""
    env = {"CHANNEL_POLICIES": json.dumps({"webhook": {"rate": LIMIT * KEPT_TO}})}
    with product.running("lanes-limited", workers=WORKERS, env=env) as tocsin:
        behave = f"limit:{LIMIT},{RETRY_AFTER_S}"
        with local_sink(tocsin.stack.home, behave=behave) as sink:
            tocsin.seed({"limited": sink.addresses(deliveries)})
            machine.settle()
            started_at = tocsin.post_alert("limited")
            timeout_s = TIMEOUT_S + 2 * deliveries / LIMIT
            sink.wait_for(deliveries, timeout_s)
            tocsin.wait_until_recorded(timeout_s)
            took_s = max(arrival.at for arrival in sink.arrivals()) - started_at
            refused = tocsin.count("outcome <> 'sent'", table="notifications_attempts")
            not_told = tocsin.count("status <> 'sent'")
    say(f"  {deliveries:,} at {LIMIT}/s: {took_s:.1f} s; {refused:,} refused at first, {not_told:,} not told")
    return took_s, not_told, refused


def benchmark(options: argparse.Namespace) -> Report:
    people = options.deliveries // 2
    with product.running("lanes") as tocsin, local_sink(tocsin.stack.home) as healthy:
        tocsin.seed({"warm-up": (warm := healthy.addresses(200))})
        healthy.measure(lambda: tocsin.post_alert("warm-up"), warm, TIMEOUT_S)
        rounds = []
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            rounds.append(one_round(tocsin, healthy, number, people))
        first_s = first_of_many(tocsin, options.lanes, options.lane_backlog)
    limited_s, not_told, refused = limited(options.limited)
    alone, mixed = (statistics.median(each) for each in zip(*rounds, strict=True))
    report.table(
        ["seconds", *(f"round {number + 1}" for number in range(options.rounds)), "median"],
        [
            [name, *(f"{each[index]:.2f}" for each in rounds), f"{median:.2f}"]
            for index, (name, median) in enumerate([("healthy alone", alone), ("beside the hung", mixed)])
        ],
    )
    allowed_s = options.limited / LIMIT
    report.table(
        ["", "measured", "must"],
        [
            [f"first send of each of {options.lanes} lanes", f"{first_s:.2f} s", f"{FIRST_WITHIN_S:.2f} s"],
            [f"{options.limited:,} at {LIMIT}/s", f"{limited_s:.1f} s", f"{MOST * allowed_s:.1f} s"],
            ["of these, not told", not_told, 0],
            ["of these, refused at first", refused, "-"],
        ],
    )
    return Report(
        name="lanes",
        unit="s",
        ours=mixed,
        baselines={"alone": alone},
        ratios={"alone": alone / mixed},
        musts={
            f"beside the hung <= {MOST} x alone": mixed <= MOST * alone,
            f"first of each lane <= {FIRST_WITHIN_S:g} s": first_s <= FIRST_WITHIN_S,
            f"with a limit <= {MOST} x deliveries / limit": limited_s <= MOST * allowed_s,
            "with a limit all are told": not not_told,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--deliveries", type=int, default=4_000, help="half of them to hung destinations")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lanes", type=int, default=20, help="equally busy ones")
    parser.add_argument("--lane-backlog", type=int, default=500, help="deliveries of each of these")
    parser.add_argument("--limited", type=int, default=3_000, help="deliveries to one that answers 429")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
