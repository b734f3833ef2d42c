"""`make bench-timers`: are 10,000 notifications that are due in the same second told in time?

Each round: the way of bench-fanout (one alert to so many people), then processes of 1,000 notifications
each that are all due at one instant; at the end so many spread over a minute. Lateness is from the due
time to the arrival at a local sink. What `raw` sending of one takes, a POST by a bare client over a kept
connection to the same sink, is noted beside it. Two workers, settings as in production.
"""

import argparse
import http.client
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks import cost, fanout, machine, product, report
from benchmarks.escalations import Client
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

MOST = 1.5
LATE_P99_S = 1.2
OF_A_PROCESS = 1000
TIMEOUT_S = 180.0
# From the last start to the due time: what the starts left to do is done by then.
PAUSE_S = 4.0
# Notifications that are surely started in a second, on a busy machine too.
STARTED_PER_S = 600
RAW_POSTS = 500


def due_at_once(addresses: Sequence[str], at: float) -> list[tuple[str, float]]:
    return [(address, at) for address in addresses]


def spread(addresses: Sequence[str], at: float, over_s: float) -> list[tuple[str, float]]:
    return [(address, at + number * over_s / len(addresses)) for number, address in enumerate(addresses)]


def lateness(
    tocsin: Product, sink: Sink, name: str, due: Sequence[tuple[str, float]], timeout_s: float
) -> list[float]:
    """Start processes with these notifications; return the seconds from due to arrival, sorted."""
    sink.reset()
    client = Client(tocsin)
    for first in range(0, len(due), OF_A_PROCESS):
        client.start(f"{name}-{first}", due[first : first + OF_A_PROCESS])
    client.close()
    ahead_s = min(at for _, at in due) - time.time()
    if ahead_s < PAUSE_S / 2:
        raise product.BenchmarkError(f"the starts took too long: due in {ahead_s:.1f} s")
    sink.wait_for(len(due), timeout_s)
    time.sleep(0.5)
    arrivals = sink.arrivals()
    sink.check_once(arrivals, [address for address, _ in due])
    expected = dict(due)
    tocsin.wait_until_recorded()
    return sorted(arrival.at - expected[sink.address_of(arrival)] for arrival in arrivals)


def quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def raw_ms(sink: Sink) -> list[float]:
    """Return the milliseconds of single POSTs over one kept connection, sorted."""
    address = sink.addresses(1, first=90_000_000)[0]
    host, _, path = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    taken = []
    for _ in range(RAW_POSTS):
        started = time.perf_counter()
        connection.request("POST", "/" + path, b'{"a":1}', {"Content-Type": "application/json"})
        connection.getresponse().read()
        taken.append((time.perf_counter() - started) * 1000)
    connection.close()
    return sorted(taken)


def one_round(
    tocsin: Product, sink: Sink, number: int, options: argparse.Namespace
) -> tuple[float, list[float]]:
    """Return the seconds of the fan-out's way, and the lateness of the burst."""
    machine.settle()
    seconds = options.count / fanout.ours(tocsin, sink, options.count, settle=False)
    say(f"  one alert to {options.count:,}: {seconds:.2f} s")
    machine.settle()
    addresses = sink.addresses(options.count, first=20_000_000 * (number + 1))
    # The starts take about as long as their rows take to write.
    at = time.time() + options.count / STARTED_PER_S + PAUSE_S
    due = due_at_once(addresses, at)
    late: list[float] = []

    def burst() -> float:
        late.extend(lateness(tocsin, sink, f"burst-{number}", due, TIMEOUT_S))
        return 0.0

    _, spent = cost.during(burst, tocsin, sink)
    say(f"  due in one second: the last arrived {late[-1]:.2f} s late")
    if number == options.rounds - 1:
        cost.show(spent, options.count)
    return seconds, late


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("timers") as tocsin, local_sink(tocsin.stack.home) as sink:
        tocsin.seed(fanout.shops(sink, options.count))
        fanout.warm_up(tocsin, sink)
        warm = spread(sink.addresses(500, first=80_000_000), time.time() + PAUSE_S, 0.0)
        lateness(tocsin, sink, "warm-up", warm, TIMEOUT_S)
        rounds = []
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            rounds.append(one_round(tocsin, sink, number, options))
        machine.settle()
        addresses = sink.addresses(options.count, first=10_000_000 * 15)
        at = time.time() + options.count / STARTED_PER_S + PAUSE_S
        slow = lateness(tocsin, sink, "spread", spread(addresses, at, options.over), options.over + TIMEOUT_S)
        machine.settle()
        raw = raw_ms(sink)
    return result(rounds, slow, raw, options)


def result(
    rounds: list[tuple[float, list[float]]], slow: list[float], raw: list[float], options: argparse.Namespace
) -> Report:
    fan_out = statistics.median(seconds for seconds, _ in rounds)
    burst = statistics.median(late[-1] for _, late in rounds)
    report.table(
        ["lateness in ms", "p50", "p99", "max"],
        [
            *(
                [f"due in one second, round {number + 1}", *shown([each * 1000 for each in late])]
                for number, (_, late) in enumerate(rounds)
            ),
            [f"spread over {options.over:.0f} s", *shown([each * 1000 for each in slow])],
            ["raw sending of one", *shown(raw)],
        ],
    )
    say(f"all at once: {burst:.2f} s; the fan-out's way: {fan_out:.2f} s; {burst / fan_out:.2f} ×")
    return Report(
        name="timers",
        unit="s",
        ours=burst,
        baselines={"fan-out": fan_out},
        ratios={"fan-out": fan_out / burst},
        musts={
            f"burst <= {MOST} x fan-out": burst <= MOST * fan_out,
            f"spread p99 <= {LATE_P99_S} s": quantile(slow, 0.99) <= LATE_P99_S,
        },
    )


def shown(values: Sequence[float]) -> list[str]:
    return [f"{quantile(values, share):.1f}" for share in (0.5, 0.99, 1.0)]


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--over", type=float, default=60.0, help="seconds, for those that are spread out")
    parser.add_argument("--rounds", type=int, default=3)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
