"""`make bench-stop`: does any send begin after the answer to its stop?

1,000 processes of 10 notifications each, due a few tenths of a second apart, are stopped at random moments
around their due times by 8 clients, while two workers send to a local sink. A send begins when its request
is about to be written to its connection, as the attempt's record says; an answer is received when its last
byte has been read. Both by the one clock of the machine. Silence is the last arrival at the sink.
"""

import argparse
import heapq
import random
import sys
import threading
import time
from dataclasses import dataclass, field

import psycopg

from benchmarks import machine, product, report
from benchmarks.escalations import Client
from benchmarks.product import Product
from benchmarks.report import Report, say
from benchmarks.sink import Sink, local_sink
from benchmarks.timers import quantile

CLIENTS = 8
GAP_S = 0.25
# Stops come from so long before a process's first due time until so long after its last.
AROUND_S = 0.5
FIRST = 1_000_000
BEGUN = """
SELECT process.process_id, extract(epoch FROM attempt.started_at)::float8
  FROM escalation_escalationprocess AS process
  JOIN notifications_notification AS told
    ON told.source_type = 'escalation' AND told.source_id = process.id::text
  JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
  JOIN notifications_attempts AS attempt ON attempt.delivery_id = delivery.id
"""


@dataclass
class Plan:
    """When each process begins to ring, when it is to be stopped, and when the answer to that was there."""

    rings_at: dict[str, float] = field(default_factory=dict)
    stops: list[tuple[float, str]] = field(default_factory=list)
    answered_at: dict[str, float] = field(default_factory=dict)
    ignored: int = 0


def start_all(tocsin: Product, sink: Sink, plan: Plan, options: argparse.Namespace) -> None:
    """Start every process, by several clients at once."""
    work = list(plan.rings_at.items())
    lock = threading.Lock()

    def client() -> None:
        mine = Client(tocsin)
        while True:
            with lock:
                if not work:
                    return mine.close()
                name, at = work.pop()
            first = FIRST + int(name) * options.notifications
            addresses = sink.addresses(options.notifications, first=first)
            mine.start(name, [(address, at + number * GAP_S) for number, address in enumerate(addresses)])

    together(client)


def stop_all(tocsin: Product, plan: Plan) -> None:
    """Stop each process at its moment, and note when the answer was there."""
    heapq.heapify(plan.stops)
    lock = threading.Lock()

    def client() -> None:
        mine = Client(tocsin)
        while True:
            with lock:
                if not plan.stops:
                    return mine.close()
                at, name = heapq.heappop(plan.stops)
            time.sleep(max(0.0, at - time.time()))
            result = mine.stop(name)
            answered_at = time.time()
            with lock:
                if result == "stopped":
                    plan.answered_at[name] = answered_at
                else:
                    plan.ignored += 1

    together(client)


def together(work: object) -> None:
    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def planned(options: argparse.Namespace) -> Plan:
    chance = random.Random(options.seed)
    plan = Plan()
    lasts_s = (options.notifications - 1) * GAP_S
    start_at = time.time() + options.processes / 15 + 5
    for number in range(options.processes):
        at = start_at + chance.random() * options.over
        plan.rings_at[str(number)] = at
        plan.stops.append((at + chance.uniform(-AROUND_S, lasts_s + AROUND_S), str(number)))
    return plan


def begun_late(tocsin: Product, plan: Plan) -> tuple[int, int]:
    """Return how many sends began at all, and how many after their stop's answer."""
    with psycopg.connect(tocsin.database_url) as connection:
        rows = connection.execute(BEGUN).fetchall()
    late = [at for name, at in rows if name in plan.answered_at and at > plan.answered_at[name]]
    return len(rows), len(late)


def silences(sink: Sink, plan: Plan, options: argparse.Namespace) -> list[float]:
    """Return the seconds from each stop's answer to the last arrival, at least 0, sorted."""
    last: dict[str, float] = {}
    for arrival in sink.arrivals():
        number = int(arrival.path.rpartition("/")[2]) - FIRST
        name = str(number // options.notifications)
        last[name] = max(arrival.at, last.get(name, 0.0))
    return sorted(max(0.0, last.get(name, 0.0) - at) for name, at in plan.answered_at.items())


def benchmark(options: argparse.Namespace) -> Report:
    with product.running("stop") as tocsin, local_sink(tocsin.stack.home) as sink:
        tocsin.seed({})
        machine.settle()
        plan = planned(options)
        start_all(tocsin, sink, plan, options)
        if time.time() > min(plan.rings_at.values()):
            raise product.BenchmarkError("the starts took too long")
        stop_all(tocsin, plan)
        tocsin.wait_until_recorded()
        sends, late = begun_late(tocsin, plan)
        silent = silences(sink, plan, options)
    all_ = options.processes * options.notifications
    report.table(
        ["", "count"],
        [
            ["notifications", f"{all_:,}"],
            ["sends", f"{sends:,}"],
            ["stops that found a process active", f"{len(plan.answered_at):,}"],
            ["stops that came after the last send", f"{plan.ignored:,}"],
            ["sends that began after their stop's answer", f"{late:,}"],
            ["stops with an arrival after the answer", f"{sum(each > 0 for each in silent):,}"],
        ],
    )
    p99 = quantile(silent, 0.99)
    say(f"from a stop's answer to silence: p99 {p99 * 1000:.1f} ms, longest {silent[-1] * 1000:.1f} ms")
    if not 0.1 * all_ < sends < 0.9 * all_:
        raise product.BenchmarkError(f"{sends:,} sends of {all_:,}: the stops prove nothing")
    return Report(
        name="stop",
        unit="ms from answer to silence, p99",
        ours=p99 * 1000,
        baselines={},
        ratios={},
        musts={"sends begun after the stop's answer == 0": late == 0},
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--processes", type=int, default=1_000)
    parser.add_argument("--notifications", type=int, default=10)
    parser.add_argument("--over", type=float, default=20.0, help="seconds over which they begin to ring")
    parser.add_argument("--seed", type=int, default=1)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
