"""How many a filter would have told, had it been used for the last cases. Writes nothing."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracing.models import Case, Criteria
from tracing.search import search
from tracing.selectors import shown, shown_parts
from tracing.services.searches import seed_of

CASES_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Counts of exposures (a device once for each case); None where one is too low to be shown."""

    cases: int
    told: int | None
    by_degree: dict[int, int | None]


def what_if(criteria: Criteria, *, cases: int, now: datetime) -> WhatIf:
    """Search the last so many cases with a filter as it is now, each as it stood when it was closed."""
    chosen = list(Case.objects.filter(opened_at__lte=now).order_by("-opened_at", "-pk")[:cases])
    counts = Counter(dict.fromkeys(range(1, criteria.rounds + 1), 0))
    by_end: dict[datetime | None, list[Case]] = defaultdict(list)
    for case in chosen:
        by_end[case.counts_until].append(case)
    for until, group in by_end.items():
        found = search([seed_of(case.pk, case, criteria) for case in group], until=until)
        counts.update(exposed.degree for reached in found.values() for exposed in reached)
    return WhatIf(len(chosen), shown(counts.total()), shown_parts(counts))
