"""`make bench-evening`: 50 evenings of 20 people at once: do the links come on time?

Ten rounds of 5 s with breaks of 1 s, all 50 starting in the same second, two workers. Every person is told
by webhook, and has an inbox. Lateness is the arrival of a link minus the planned start of its round, which
follows from the start of the evening alone. A round has "begun" once an onlooker, who asks the database many
times a second, sees that in the rows of all evenings; drift is that of the last round. Each person must get
each round's link once, all partners must differ, and be each other's.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks import product, report
from benchmarks.children import complete, python
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.sink import Arrival, Sink, local_sink

EVENINGS, PEOPLE = 50, 20
ROUNDS = PEOPLE // 2
ROUND_S, BREAK_S = 5, 1
LEAD_S = 25
MOST_LATE_S = MOST_DRIFT_S = 1.0
BEGUN = "SELECT coalesce(min(current_round), 0) FROM dating_event"
LOOK_S = 0.02
OVER = "SELECT count(*) FILTER (WHERE step = 'finished'), count(*) FROM dating_event"


@dataclass(frozen=True, slots=True)
class Plan:
    """When all start, and who is who: each evening's registrations by address."""

    starts_at: float
    events: dict[str, dict[str, str]]

    def start_of(self, number: int) -> float:
        return self.starts_at + (number - 1) * (ROUND_S + BREAK_S)

    @property
    def ends_at(self) -> float:
        return self.start_of(ROUNDS + 1)


def prepare(tocsin: Product, sink: Sink, evenings: int) -> Plan:
    addresses = sink.addresses(evenings * PEOPLE)
    answer: dict[str, Any] = complete(
        python("-m", "benchmarks.dancers"),
        question={
            "addresses": [addresses[n * PEOPLE : (n + 1) * PEOPLE] for n in range(evenings)],
            "lead_s": LEAD_S,
            "round_s": ROUND_S,
            "break_s": BREAK_S,
        },
        log=tocsin.stack.home / "dancers.log",
        env=tocsin.stack.env,
    )
    return Plan(answer["starts_at"], answer["events"])


def wait_until_over(tocsin: Product, plan: Plan) -> None:
    """Wait until every evening is finished, and everything about it sent."""
    time.sleep(max(0.0, plan.ends_at - time.time()))
    deadline = time.monotonic() + 60
    with psycopg.connect(tocsin.database_url, autocommit=True) as connection:
        while True:
            finished, all_of_them = connection.execute(OVER).fetchone() or (0, 1)
            if finished == all_of_them:
                break
            if time.monotonic() > deadline:
                raise BenchmarkError(f"only {finished} of {all_of_them} evenings are finished")
            time.sleep(0.5)
    tocsin.wait_until_recorded()


class Onlooker:
    """Notes when it first saw each round going on in all evenings."""

    def __init__(self, database_url: str) -> None:
        self.begun: dict[int, float] = {}
        self._database_url = database_url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            while not self._ended.wait(LOOK_S):
                (number,) = connection.execute(BEGUN).fetchone() or (0,)
                now = time.time()
                for each in range(1, number + 1):
                    self.begun.setdefault(each, now)


def faults_of(plan: Plan, sink: Sink, arrivals: list[tuple[Arrival, dict[str, Any]]]) -> list[str]:
    """Return what was told wrongly, twice or not at all, in words."""
    faults = [
        f"{count}× {each}" for each, count in Counter(a.webhook_id for a, _ in arrivals).items() if count > 1
    ]
    told: Counter[tuple[str, str]] = Counter()
    partners: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for arrival, body in arrivals:
        data, address = body["data"], sink.address_of(arrival)
        people = plan.events[data["event_id"]]
        if address not in people:
            faults.append(f"{address} was told of an evening that is not theirs")
            continue
        told[address, body["type"]] += 1
        if body["type"] == "dating.link":
            partners[data["event_id"], data["round"]][people[address]] = data["partner_id"]
    expected = {"dating.taking_part": 1, "dating.rules": 1, "dating.finished": 1}
    expected |= {"dating.link": ROUNDS, "dating.rate": ROUNDS}
    for people in plan.events.values():
        for address in people:
            for kind, count in expected.items():
                if told[address, kind] != count:
                    faults.append(f"{address} got {kind} {told[address, kind]} times")
    for (event, number), pairs in partners.items():
        if any(pairs.get(other) != one for one, other in pairs.items()):
            faults.append(f"round {number} of {event}: the partners are not each other's")
    for event, people in plan.events.items():
        for person in people.values():
            met = [partners[event, number].get(person) for number in range(1, ROUNDS + 1)]
            if len(set(met)) != ROUNDS:
                faults.append(f"{person} met somebody twice")
    return faults


def benchmark(options: argparse.Namespace) -> Report:
    with (
        product.running("evening", env={"DELIVERY_MAX_AGE_H": "24"}) as tocsin,
        local_sink(tocsin.stack.home) as sink,
    ):
        plan = prepare(tocsin, sink, options.evenings)
        say(f"{options.evenings} evenings of {PEOPLE} people, {ROUNDS} rounds of {ROUND_S} s")
        with Onlooker(tocsin.database_url) as onlooker:
            wait_until_over(tocsin, plan)
        arrivals = [(each, json.loads(each.body)) for each in sink.arrivals(bodies=True)]
        faults = faults_of(plan, sink, arrivals)
    late: dict[int, list[float]] = defaultdict(list)
    for arrival, body in arrivals:
        if body["type"] == "dating.link":
            number = body["data"]["round"]
            late[number].append(arrival.at - plan.start_of(number))
    begun = {number: at - plan.start_of(number) for number, at in onlooker.begun.items()}
    return result(late, begun, faults)


def result(late: dict[int, list[float]], begun: dict[int, float], faults: list[str]) -> Report:
    rows = []
    for number in sorted(late):
        cuts = statistics.quantiles(late[number], n=100)
        figures = (
            min(late[number]),
            cuts[49],
            cuts[98],
            max(late[number]),
            begun[number],
        )
        rows.append(
            [f"round {number}", f"{len(late[number]):,}", *(f"{each * 1000:.0f}" for each in figures)]
        )
    report.table(["milliseconds", "links", "first", "p50", "p99", "last", "begun"], rows)
    for fault in faults[:10]:
        say(f"  {fault}")
    every = [each for seconds in late.values() for each in seconds]
    p99 = statistics.quantiles(every, n=100)[98]
    drift = begun[ROUNDS]
    return Report(
        name="evening",
        unit="s late, p99",
        ours=p99,
        baselines={"allowed": MOST_LATE_S},
        ratios={
            "allowed / p99": MOST_LATE_S / max(p99, 0.001),
            "allowed / drift": MOST_DRIFT_S / max(drift, 0.001),
        },
        musts={
            f"p99 of the links <= {MOST_LATE_S:.0f} s after the start": p99 <= MOST_LATE_S,
            "no link before the start": min(every) >= -0.05,
            f"the last round starts <= {MOST_DRIFT_S:.0f} s late": drift <= MOST_DRIFT_S,
            "no wrong or repeated message": not faults,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--evenings", type=int, default=EVENINGS)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
