"""`make bench-small`: what an alert to five people costs, and how many of them a second two workers take.

Alerts to 50 shops of 5 people each in an open loop, at 50 a second and then faster and faster, for so long
each. The highest rate is the last at which p99 from the POST to the arrival stays under 100 ms. The processor
time of an alert is that of all processes of ours together, PostgreSQL and Redis included, at 50 a second.
Beside it stands what one POST to a bare DRF view costs that inserts one row, with PostgreSQL's part of it, at
the same pace; and the highest rate of `dramatiq-alert`: that view, which also sends one message, and two
processes of eight threads that post each alert to its five people.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter

import psutil

from benchmarks import contenders, cost, latency, machine, product, report
from benchmarks.bare import server as bare
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink

SHOPS, PEOPLE = 50, 5
RATES = (50, 100, 200, 400, 800)
WARM_UP_S = 5.0
ARRIVAL_TIMEOUT_S = 120.0
MOST_P99_S = 0.1
MOST_COST = 1.0
LEAST_RATE = 3.0
REDIS_DATABASE = 5
MEASURING = {"sink", "all"}


def posted(
    url: str, headers: dict[str, str], tocsin: Product, seconds: float, per_s: float
) -> dict[str, float]:
    """Post alerts at a pace; return when each was posted, by its id."""
    return dict(latency.posted(url, headers, tocsin, seconds, per_s=per_s, shops=SHOPS)["posted"])


def at_pace(tocsin: Product, sink: Sink, seconds: float, per_s: float) -> tuple[list[float], float]:
    """Return the seconds from POST to arrival of each delivery, and the processor time of an alert."""
    machine.settle()
    before = cost.spent(tocsin, sink)
    arrivals, alerts = arrived(tocsin.alerts_url, tocsin.headers, tocsin, sink, seconds, per_s)
    tocsin.wait_until_recorded()
    after = cost.spent(tocsin, sink)
    parts = {name: after[name] - before[name] for name in before if name not in MEASURING}
    say(
        "  ms of CPU an alert: "
        + ", ".join(f"{name} {each / alerts * 1000:.2f}" for name, each in parts.items())
    )
    return arrivals, sum(parts.values()) / alerts


def arrived(
    url: str, headers: dict[str, str], tocsin: Product, sink: Sink, seconds: float, per_s: float
) -> tuple[list[float], int]:
    """Post alerts; return the seconds from POST to arrival of each delivery, and how many alerts it were."""
    sink.reset()
    sent_at = posted(url, headers, tocsin, seconds, per_s)
    sink.wait_for(len(sent_at) * PEOPLE, ARRIVAL_TIMEOUT_S)
    arrivals = [(latency.alert_of(arrival), arrival) for arrival in sink.arrivals(bodies=True)]
    seen = Counter((alert_uuid, arrival.path) for alert_uuid, arrival in arrivals)
    if max(seen.values()) > 1 or len(seen) != len(sent_at) * PEOPLE:
        raise BenchmarkError("not every person was told exactly once of each alert")
    return [arrival.at - sent_at[alert_uuid] for alert_uuid, arrival in arrivals], len(sent_at)


def milliseconds(seconds: list[float]) -> list[float]:
    """The median, the 99th percentile and the most."""
    cuts = statistics.quantiles(seconds, n=100)
    return [each * 1000 for each in (cuts[49], cuts[98], max(seconds))]


def highest_of_dramatiq(tocsin: Product, sink: Sink, bare_url: str, options: argparse.Namespace) -> int:
    """Return the highest rate at which `dramatiq-alert` keeps to the time."""
    setting = contenders.Setting(
        sink, [], [], tocsin.other_redis_url(REDIS_DATABASE), os.environ, tocsin.stack.home
    )
    highest = 0
    with contenders.dramatiq(setting, warm=False), tocsin.paused():
        arrived(bare_url + "told/", {}, tocsin, sink, WARM_UP_S, 20)
        for rate in options.rates:
            seconds, _ = arrived(bare_url + "told/", {}, tocsin, sink, options.seconds, rate)
            p50, p99, most = milliseconds(seconds)
            say(f"  dramatiq-alert at {rate}/s: p50 {p50:.1f}, p99 {p99:.1f}, most {most:.1f} ms")
            if p99 > MOST_P99_S * 1000:
                break
            highest = rate
    return highest


def bare_cost(tocsin: Product, bare_url: str, seconds: float) -> float:
    """Return the processor time of one POST to the bare view, with PostgreSQL's part of it."""
    machine.settle()
    (view,) = [
        each
        for each in psutil.Process().children(recursive=True)
        if "benchmarks.bare.asgi:application" in each.cmdline()
    ]
    with tocsin.paused():
        before = _of_bare(tocsin, view)
        answers = posted(bare_url, {}, tocsin, seconds, RATES[0])
        after = _of_bare(tocsin, view)
    return (after - before) / len(answers)


def _of_bare(tocsin: Product, view: psutil.Process) -> float:
    times = view.cpu_times()
    # Ours is held still meanwhile: what PostgreSQL spends, it spends for the bare view.
    return float(times.user + times.system) + cost.of_postgresql(tocsin)


def benchmark(options: argparse.Namespace) -> Report:
    costs: dict[int, float] = {}
    highest, rows = 0, []
    with product.running("small") as tocsin, local_sink(tocsin.stack.home) as sink:
        addresses = sink.addresses(SHOPS * PEOPLE)
        people = {f"shop-{n}": addresses[n * PEOPLE : (n + 1) * PEOPLE] for n in range(SHOPS)}
        told = tocsin.stack.home / "people.json"
        told.write_text(json.dumps(people))
        environment = {
            "BENCHMARK_PEOPLE": str(told),
            "BENCHMARK_REDIS_URL": tocsin.other_redis_url(REDIS_DATABASE),
        }
        tocsin.seed(people)
        with bare.bare_view(tocsin.database_url, tocsin.stack.home, environment=environment) as bare_url:
            say("warming up")
            at_pace(tocsin, sink, WARM_UP_S, RATES[0])
            bare_s = [bare_cost(tocsin, bare_url, options.seconds / 2)]
            for rate in options.rates:
                say(f"{rate} alerts/s to {PEOPLE} people each, for {options.seconds:.0f} s")
                seconds, costs[rate] = at_pace(tocsin, sink, options.seconds, rate)
                figures = milliseconds(seconds)
                rows.append([f"{rate}/s", f"{costs[rate] * 1000:.2f}", *(f"{each:.1f}" for each in figures)])
                if figures[1] > MOST_P99_S * 1000:
                    break
                highest = rate
                time.sleep(1)
            bare_s.append(bare_cost(tocsin, bare_url, options.seconds / 2))
            theirs = highest_of_dramatiq(tocsin, sink, bare_url, options)
    post_s = statistics.mean(bare_s)
    report.table(["alerts", "CPU ms an alert", "p50 ms", "p99 ms", "most ms"], rows)
    say(
        f"  one bare POST: {post_s * 1000:.2f} ms of CPU; highest rate with p99 under 100 ms: {highest}/s,"
        f" dramatiq-alert {theirs}/s"
    )
    ours = costs[min(costs)] * 1000
    return Report(
        name="small",
        unit="ms of CPU an alert",
        ours=ours,
        baselines={"post": post_s * 1000, "dramatiq-alert": float(theirs)},
        ratios={"post": post_s * 1000 / ours, "alerts/s": float(highest), "rate": highest / max(theirs, 1)},
        musts={
            f"cost <= {MOST_COST:g} x post": ours <= MOST_COST * post_s * 1000,
            f"rate >= {LEAST_RATE:g} x dramatiq-alert": highest >= LEAST_RATE * theirs,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="at each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES), help="alerts a second")
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
