"""`make bench-fanout`: one alert to 10,000 people, from the POST to the last arrival at a local sink.

Each round measures ours and then the baselines, one at a time, against the same sink with the
same bodies; each is started and warmed up first, and ours is held still while a baseline runs.
The figures are the medians of the rounds. Every person must be reached exactly once. What the
parts of the last round cost in processor time says what bounds ours on this machine.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from benchmarks import contenders, cost, machine, product, report
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

TIMEOUT_S = 180.0
WARM_UP_TIMEOUT_S = 30.0
MUSTS = {"raw": 0.85, "dramatiq": 3, "rq-per-user": 100}
CROWD, WARM_UP = "crowd", "warm-up"
BASELINE_REDIS_DATABASE = 5
WARM_UP_PEOPLE = 200


def warm_up(tocsin: Product, sink: Sink) -> None:
    """Tell a few people first, so that a service is measured that has been up for a while."""
    addresses = sink.addresses(WARM_UP_PEOPLE, first=10_000_000)
    sink.measure(lambda: tocsin.post_alert(WARM_UP), addresses, WARM_UP_TIMEOUT_S)
    tocsin.wait_until_recorded()


def shops(sink: Sink, members: int) -> dict[str, list[str]]:
    """The shop that is measured, and a small one to warm up with."""
    return {
        CROWD: sink.addresses(members),
        WARM_UP: sink.addresses(WARM_UP_PEOPLE, first=10_000_000),
    }


def ours(tocsin: Product, sink: Sink, members: int, *, settle: bool = True) -> float:
    """Return the deliveries a second of one alert to the crowd."""
    if settle:
        machine.settle()
    sent_before = tocsin.count("status = 'sent'")
    seconds = sink.measure(lambda: tocsin.post_alert(CROWD), sink.addresses(members), TIMEOUT_S)
    tocsin.wait_until_recorded()
    recorded = tocsin.count("status = 'sent'") - sent_before
    if recorded != members:
        raise product.BenchmarkError(f"{recorded:,} of {members:,} deliveries are recorded as sent")
    return members / seconds


def setting_for(tocsin: Product, sink: Sink, members: int) -> contenders.Setting:
    """Give the baselines what ours has just sent, body by body."""
    by_address = {sink.address_of(arrival): arrival.body for arrival in sink.arrivals(bodies=True)}
    addresses = sink.addresses(members)
    return contenders.Setting(
        sink=sink,
        addresses=addresses,
        bodies=[by_address[address] for address in addresses],
        redis_url=tocsin.other_redis_url(BASELINE_REDIS_DATABASE),
        environment=tocsin.stack.env,
        logs=tocsin.stack.home,
    )


class Contest:
    """The rounds of one run, and the rates that each contender reached in them."""

    def __init__(self, tocsin: Product, sink: Sink, options: argparse.Namespace) -> None:
        self._tocsin, self._sink, self._options = tocsin, sink, options
        self._raw_concurrency: int | None = None
        self.rates: dict[str, list[float]] = {}
        self.cost: cost.Seconds = {}

    def round(self) -> None:
        members = self._options.members
        machine.settle()
        logged = self._tocsin.log_position()
        rate, self.cost = cost.during(
            lambda: ours(self._tocsin, self._sink, members, settle=False), self._tocsin, self._sink
        )
        self._note("ours", rate)
        written = self._tocsin.log_position() - logged
        say(f"  ours: {written / members:,.0f} bytes of write-ahead log a delivery")
        setting = setting_for(self._tocsin, self._sink, members)
        with self._tocsin.paused():
            self._against_raw(setting)
            if not self._options.only_raw:
                with contenders.dramatiq(setting) as start:
                    self._note("dramatiq", self._rate(start, setting.addresses))
                count = min(self._options.rq_jobs, members)
                with contenders.rq_per_user(setting, count) as start:
                    self._note("rq-per-user", self._rate(start, setting.addresses[:count]))
        warm_up(self._tocsin, self._sink)

    def _against_raw(self, setting: contenders.Setting) -> None:
        machine.settle()
        with contenders.raw(setting, self._raw_concurrency) as (start, concurrency):
            self._raw_concurrency = concurrency
            self._note("raw", self._rate(start, setting.addresses))

    def _rate(self, start: contenders.Start, addresses: Sequence[str]) -> float:
        return len(addresses) / self._sink.measure(start, addresses, TIMEOUT_S)

    def _note(self, name: str, rate: float) -> None:
        self.rates.setdefault(name, []).append(rate)
        say(f"  {name}: {rate:,.0f} deliveries/s")


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("fanout") as tocsin, local_sink(tocsin.stack.home) as sink:
        tocsin.seed(shops(sink, options.members))
        warm_up(tocsin, sink)
        contest = Contest(tocsin, sink, options)
        for number in range(1, options.rounds + 1):
            say(f"round {number} of {options.rounds}")
            contest.round()
    cost.show(contest.cost, options.members)
    return result(contest.rates, options)


def result(rates: dict[str, list[float]], options: argparse.Namespace) -> Report:
    medians = {name: statistics.median(each) for name, each in rates.items()}
    report.table(
        ["deliveries/s", *(f"round {number + 1}" for number in range(options.rounds)), "median", "ours is"],
        [
            [
                name,
                *(f"{rate:,.0f}" for rate in each),
                f"{medians[name]:,.0f}",
                f"{medians['ours'] / medians[name]:.2f} ×",
            ]
            for name, each in rates.items()
        ],
    )
    baselines = {name: value for name, value in medians.items() if name != "ours"}
    ratios = {name: medians["ours"] / value for name, value in baselines.items()}
    return Report(
        name="fanout",
        unit="deliveries/s",
        ours=medians["ours"],
        baselines=baselines,
        ratios=ratios,
        musts={
            f"{name} >= {least}": ratios[name] >= least for name, least in MUSTS.items() if name in ratios
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rq-jobs", type=int, default=300, help="people of the rq-per-user baseline")
    parser.add_argument("--only-raw", action="store_true", help="leave out the two slow baselines")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
