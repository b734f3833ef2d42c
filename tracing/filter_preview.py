"""How many a filter would have told, had it been used for the last cases. Writes nothing."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracing.models import Case, Criteria
from tracing.search import Seed, search
from tracing.selectors import last_cases, shown, shown_parts

CASES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Counts of exposures (a device once for each case); None where one is too low to be shown."""

    cases: int
    told: int | None
    by_degree: dict[int, int | None]


def what_if(criteria: Criteria, *, cases: int, now: datetime) -> WhatIf:
    """Search the last so many cases with a filter as it is now, each as it stood when it was closed."""
    chosen = list(last_cases(cases, now=now))
    counts = Counter(dict.fromkeys(range(1, criteria.rounds + 1), 0))
    by_end: dict[datetime | None, list[Case]] = defaultdict(list)
    for case in chosen:
        by_end[case.counts_until].append(case)
    for until, group in by_end.items():
        seeds = [
            Seed(
                case=case.pk,
                device_id=case.device_id,
                since=case.since,
                rounds=criteria.rounds,
                time_min_s=criteria.time_min_s,
                time_max_s=criteria.time_max_s,
                distance_min_m=criteria.distance_min_m,
                distance_max_m=criteria.distance_max_m,
            )
            for case in group
        ]
        found = search(seeds, until=until)
        counts.update(exposed.degree for reached in found.values() for exposed in reached)
    return WhatIf(len(chosen), shown(counts.total()), shown_parts(counts))
