"""`make bench-storm`: what becomes of 50,000 occurrences of 5,000 keys that are reported in a minute?

To four integrations, in an open loop: two fifths each by Alertmanager and as JSON in bodies of 50, a tenth
each by clients of PagerDuty and Opsgenie, which send one at a time. Each integration's policy tells five
people, once for each time that it is started. Timed is each request from when it was due to its answer.
Afterwards every occurrence must be there, by key; nobody may have been told more often than a storm allows,
nor not at all; and the audit must find no gap. Beside it stands a tenth of the pace, by integrations that
tell nobody.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import psycopg

from benchmarks import machine, product, report
from benchmarks.children import complete, python
from benchmarks.heartbeats import percentile
from benchmarks.product import BenchmarkError, Product
from benchmarks.report import Report, say
from benchmarks.sink import AFTERWARDS_S, Sink, local_sink
from benchmarks.storming import FORMATS

MOST_P99_S = 0.25
PEOPLE = 5
# Groups of a policy that may be told one by one before a storm begins, and then its summary.
STORM_GROUPS = 5
MOST_TOLD = STORM_GROUPS + 1
# Of the pace, and of the seconds.
CALM_PACE, CALM_PART = 0.1, 1 / 3
TOLD_TIMEOUT_S = 120.0
# Groups of which is still to be decided whether they are told, and storms whose summary is not told yet.
UNDECIDED = "rings_at IS NOT NULL AND process_id IS NULL"
FOUND = """
SELECT integration.name, said.key, count(*)
  FROM escalation_alertoccurrence AS said
  JOIN escalation_integration AS integration ON integration.id = said.integration_id
  JOIN escalation_groupedalert AS alert ON alert.id = said.alert_id
  JOIN escalation_alertgroup AS grouped ON grouped.id = alert.group_id
 WHERE said.act = 'trigger' GROUP BY 1, 2
"""


def reported(
    tocsin: Product, integrations: dict[str, str], *, occurrences: int, keys: int, seconds: float
) -> dict[str, Any]:
    """Report so many; return what the generator counted, by format."""
    machine.settle()
    answer = complete(
        python("-m", "benchmarks.storming"),
        question={
            "origin": tocsin.stack.base_url,
            "integrations": integrations,
            "occurrences": occurrences,
            "keys": keys,
            "seconds": seconds,
        },
        log=tocsin.stack.home / "storming.log",
    )
    for name, each in answer["formats"].items():
        if each["complaint"]:
            say(f"  {name}: {each['statuses']}, first {each['complaint']}")
        if not each["seconds"]:
            raise BenchmarkError(f"nothing that was sent as {name} was accepted")
    say(f"  the generator was {answer['lag_s'] * 1000:.0f} ms late at most")
    formats: dict[str, Any] = answer["formats"]
    return formats


def wait_until_told(tocsin: Product) -> None:
    """Wait until all that is to be told of the groups has been."""
    deadline = time.monotonic() + TOLD_TIMEOUT_S
    while left := tocsin.count(UNDECIDED, "escalation_alertgroup"):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{left:,} groups are still to be told after {TOLD_TIMEOUT_S:.0f} s")
        time.sleep(0.1)
    tocsin.wait_until_recorded()
    time.sleep(AFTERWARDS_S)


def found(tocsin: Product) -> dict[str, Counter[str]]:
    """Return how often each key was kept with its group, by integration."""
    kept = {name: Counter[str]() for name in FORMATS}
    with psycopg.connect(tocsin.database_url) as connection:
        for name, key, count in connection.execute(FOUND):
            if name in kept:
                kept[name][key] = count
    return kept


def has_no_gap(tocsin: Product) -> bool:
    audit = tocsin.stack.manage("audit_deliveries", "--settled", check=False)
    say("  " + audit.stdout.strip().splitlines()[-1] if not audit.returncode else audit.stdout + audit.stderr)
    return audit.returncode == 0


def benchmark(options: argparse.Namespace) -> Report:
    with (
        product.running("storm", env={"STORM_GROUPS": str(STORM_GROUPS)}) as tocsin,
        local_sink(tocsin.stack.home) as sink,
    ):
        people = people_of(sink)
        tocsin.seed(people)
        integrations: dict[str, dict[str, str]] = complete(
            python("-m", "benchmarks.seed_integrations"),
            question={"formats": list(FORMATS)},
            log=tocsin.stack.home / "seed.log",
            env=tocsin.stack.env,
        )
        size = {"occurrences": options.occurrences, "keys": options.keys}
        calm_s = options.seconds * CALM_PART
        say(f"a tenth of the pace for {calm_s:.0f} s")
        few = {name: round(each * CALM_PACE * CALM_PART) for name, each in size.items()}
        calm = reported(tocsin, integrations["untold"], **few, seconds=calm_s)
        say(f"{options.occurrences:,} occurrences of {options.keys:,} keys in {options.seconds:.0f} s")
        answers = reported(tocsin, integrations["told"], **size, seconds=options.seconds)
        wait_until_told(tocsin)
        told = Counter(sink.address_of(arrival) for arrival in sink.arrivals())
        kept = found(tocsin)
        is_clean = has_no_gap(tocsin)
    times_told = {name: [told[each] for each in addresses] for name, addresses in people.items()}
    return result(calm, answers, kept, times_told, is_clean)


def seconds_of(answers: Mapping[str, Any]) -> list[float]:
    return [seconds for each in answers.values() for seconds in each["seconds"]]


def figures(seconds: list[float]) -> list[str]:
    """How many there are, the median, the 99th percentile and the most, in words."""
    parts = (percentile(seconds, 0.5), percentile(seconds, 0.99), max(seconds))
    return [f"{len(seconds):,}", *(f"{each * 1000:.1f}" for each in parts)]


def people_of(sink: Sink) -> dict[str, list[str]]:
    """Return the addresses of those whom each integration's policy tells."""
    addresses = sink.addresses(len(FORMATS) * PEOPLE)
    return {name: addresses[place * PEOPLE :][:PEOPLE] for place, name in enumerate(FORMATS)}


def result(
    calm: dict[str, Any],
    answers: dict[str, Any],
    kept: dict[str, Counter[str]],
    told: dict[str, list[int]],
    is_clean: bool,
) -> Report:
    rows = [["a tenth of the pace", *figures(seconds_of(calm)), "", ""]]
    for name, each in answers.items():
        lost = (Counter(each["sent"]) - kept[name]).total()
        rows.append([name, *figures(each["seconds"]), f"{lost:,}", f"{min(told[name])} to {max(told[name])}"])
    rows.append(["all", *figures(seconds_of(answers)), "", ""])
    report.table(["", "requests", "p50 ms", "p99 ms", "most ms", "lost", "times told"], rows)
    ours, baseline = percentile(seconds_of(answers), 0.99), percentile(seconds_of(calm), 0.99)
    times = [each for some in told.values() for each in some]
    return Report(
        name="storm",
        unit="ms to 2xx, p99",
        ours=ours * 1000,
        baselines={"a tenth of the pace": baseline * 1000},
        ratios={"a tenth of the pace": baseline / ours},
        musts={
            f"p99 < {MOST_P99_S * 1000:.0f} ms": ours < MOST_P99_S,
            "every occurrence is found": all(
                Counter(each["sent"]) == kept[name] for name, each in answers.items()
            ),
            f"each person is told, {MOST_TOLD} times at most": 1 <= min(times) <= max(times) <= MOST_TOLD,
            "audit finds no gap": is_clean,
        },
    )


def main() -> int:
    parser = report.parser(__doc__)
    parser.add_argument("--occurrences", type=int, default=50_000)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    return report.run(benchmark, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
