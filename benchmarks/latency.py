"""`make bench-latency`: how long from the sending of a POST to the arrival of what it brings about?

50 alerts a second for 30 s to shops of 20 people each, in an open loop: an alert is posted when it
is due, whatever became of those before, so a stall counts for all that it delays. Every delivery
counts by itself. The baselines are measured before and after, at the same pace: a POST to a bare
DRF view that inserts one row, and a job that does nothing, from enqueueing it until its enqueuer
sees that it is done, through RQ's own worker that doesn't fork.
"""

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from typing import Any

from redis import Redis
from rq import Queue

from benchmarks import machine, product, report
from benchmarks.bare import server as bare
from benchmarks.baselines import rq_jobs
from benchmarks.children import complete, python, running
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.sink import Arrival, Sink, local_sink

SHOPS, PEOPLE = 10, 20
PER_S = 50.0
WARM_UP_S = 3.0
BASELINE_S = 5.0
# Of the embedded Redis, for the baseline's own queue.
REDIS_DATABASE = 6
ARRIVAL_TIMEOUT_S = 60.0
MOST_P50, MOST_P99 = 1.2, 5
# An open loop that lags more than this has not kept its promise.
MOST_LAG_S = 0.02


def posted(
    url: str,
    headers: dict[str, str],
    tocsin: Product,
    seconds: float,
    *,
    per_s: float = PER_S,
    shops: int = SHOPS,
) -> dict[str, Any]:
    """Post alerts at a pace for so long; all must be accepted, and go out on time."""
    answer = complete(
        python("-m", "benchmarks.load"),
        question={
            "mode": "open",
            "url": url,
            "headers": headers,
            "locations": [f"shop-{number}" for number in range(shops)],
            "seconds": seconds,
            "per_s": per_s,
        },
        log=tocsin.stack.home / "load.log",
    )
    if set(answer["statuses"]) != {"201"}:
        raise BenchmarkError(f"not every alert was accepted: {answer['statuses']} {answer['complaint']}")
    lag = statistics.quantiles(answer["lags"], n=100)[98]
    if lag > MOST_LAG_S:
        say(f"  note: the generator was late by {lag * 1000:.0f} ms at the 99th percentile")
    return answer


def deliveries(tocsin: Product, sink: Sink, seconds: float) -> list[float]:
    """Return the seconds from the POST to the arrival, of each delivery of a stretch of alerts."""
    sink.reset()
    answer = posted(tocsin.alerts_url, tocsin.headers, tocsin, seconds)
    sent_at: dict[str, float] = dict(answer["posted"])
    sink.wait_for(len(sent_at) * PEOPLE, ARRIVAL_TIMEOUT_S)
    time.sleep(0.3)
    arrivals = [(alert_of(arrival), arrival) for arrival in sink.arrivals(bodies=True)]
    check(sent_at, arrivals)
    tocsin.wait_until_recorded()
    show_stages(tocsin.stages(list(sent_at)))
    return [arrival.at - sent_at[alert_uuid] for alert_uuid, arrival in arrivals]


def show_stages(stages: dict[str, list[float]]) -> None:
    """Print where the time goes, by the product's own records."""
    rows = []
    for name, seconds in stages.items():
        cuts = statistics.quantiles(seconds, n=100)
        rows.append([name, *(f"{each * 1000:.1f}" for each in (cuts[49], cuts[89], cuts[98], max(seconds)))])
    report.table(["milliseconds", "p50", "p90", "p99", "most"], rows)


def alert_of(arrival: Arrival) -> str:
    told: str = json.loads(arrival.body)["data"]["alert_uuid"]
    return told


def check(sent_at: dict[str, float], arrivals: list[tuple[str, Arrival]]) -> None:
    """Check that each alert came to each of the shop's people exactly once."""
    seen = Counter((alert_uuid, arrival.path) for alert_uuid, arrival in arrivals)
    people = Counter(alert_uuid for alert_uuid, _ in seen)
    if max(seen.values()) > 1 or people != Counter(dict.fromkeys(sent_at, PEOPLE)):
        raise BenchmarkError("not every person was told exactly once of each alert")


def queue_round_trips(tocsin: Product, seconds: float) -> list[float]:
    """Return the seconds from enqueueing a job that does nothing until its result is seen, paced."""
    url = tocsin.other_redis_url(REDIS_DATABASE)
    queue = Queue(rq_jobs.QUEUE, connection=Redis.from_url(url), serializer="json")
    command = python("-m", "benchmarks.baselines.rq_worker", "--simple")
    environment = {**tocsin.stack.env, "BENCHMARK_REDIS_URL": url}
    with running(command, log=tocsin.stack.home / "rq.log", env=environment):
        round_trip(queue)  # it is up now
        trips = []
        for _ in range(round(seconds * PER_S)):
            trips.append(round_trip(queue))
            time.sleep(max(0.0, 1 / PER_S - trips[-1]))
        return trips


def round_trip(queue: Queue) -> float:
    started = time.perf_counter()
    job = queue.enqueue(rq_jobs.nothing, result_ttl=60)
    if job.latest_result(timeout=30) is None:
        raise BenchmarkError("no worker did the job that does nothing")
    return time.perf_counter() - started


def baselines(tocsin: Product, bare_url: str) -> tuple[list[float], list[float]]:
    """Return the seconds of each bare POST and of each round trip through the queue."""
    machine.settle()
    with tocsin.paused():
        posts: list[float] = posted(bare_url, {}, tocsin, BASELINE_S)["seconds"]
    return posts, queue_round_trips(tocsin, BASELINE_S)


def benchmark(options: argparse.Namespace) -> Report:
    with (
        product.running("latency") as tocsin,
        local_sink(tocsin.stack.home) as sink,
        bare.bare_view(tocsin.database_url, tocsin.stack.home) as bare_url,
    ):
        addresses = sink.addresses(SHOPS * PEOPLE)
        tocsin.seed({f"shop-{n}": addresses[n * PEOPLE : (n + 1) * PEOPLE] for n in range(SHOPS)})
        say("warming up")
        deliveries(tocsin, sink, WARM_UP_S)
        say("baselines, before")
        posts, trips = baselines(tocsin, bare_url)
        say(f"{PER_S:.0f} alerts/s to {PEOPLE} people each, for {options.seconds:.0f} s")
        machine.settle()
        ours = deliveries(tocsin, sink, options.seconds)
        say("baselines, after")
        more_posts, more_trips = baselines(tocsin, bare_url)
    return result(ours, posts + more_posts, trips + more_trips)


def result(ours: list[float], posts: list[float], trips: list[float]) -> Report:
    rows = []
    for name, seconds in (("POST to arrival", ours), ("bare POST", posts), ("no-op job", trips)):
        cuts = statistics.quantiles(seconds, n=100)
        figures = (cuts[49], cuts[89], cuts[98], max(seconds))
        rows.append([name, f"{len(seconds):,}", *(f"{each * 1000:.1f}" for each in figures)])
    report.table(["milliseconds", "count", "p50", "p90", "p99", "most"], rows)
    cuts = statistics.quantiles(ours, n=100)
    p50, p99 = cuts[49] * 1000, cuts[98] * 1000
    post, trip = statistics.median(posts) * 1000, statistics.median(trips) * 1000
    return Report(
        name="latency",
        unit="ms",
        ours=p50,
        baselines={"post": post, "rq": trip, "post + rq": post + trip},
        ratios={"post + rq": (post + trip) / p50, "p50 / p99": p50 / p99},
        musts={
            f"p50 <= {MOST_P50} x (post + rq)": p50 <= MOST_P50 * (post + trip),
            f"p99 <= {MOST_P99} x p50": p99 <= MOST_P99 * p50,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
