"""How many a filter would have told, had it been used for the last cases. Writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.conf import settings

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


@dataclass(frozen=True, slots=True)
class Pair:
    """One count by two filters.

    None where it is too low to be shown. ``then`` is also None where it is so near to ``now`` (``is_near``)
    that the two together would point to a few people.
    """

    now: int | None
    then: int | None
    is_near: bool = False

    @property
    def change(self) -> int | None:
        return None if self.now is None or self.then is None else self.then - self.now


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two filters would have told in the same cases; ``by_degree`` adds up to ``told``."""

    cases: int
    told: Pair
    by_degree: dict[int, Pair]


def what_if(criteria: Criteria, *, cases: int, now: datetime) -> WhatIf:
    """Search the last so many cases with a filter as it is now, each as it stood when it was closed."""
    chosen = cases_last(cases, now)
    counts = _counts(criteria, chosen)
    return WhatIf(len(chosen), shown(counts.total()), shown_parts(counts))


def what_if_compared(now: Criteria, then: Criteria, *, cases: Sequence[Case], most: int) -> Comparison:
    """Search the same cases with two filters.

    Raises:
        TooFar: one of them reached more than ``most`` devices, each counted once for each case.
    """
    before, after = (_counts(criteria, cases, most) for criteria in (now, then))
    # Who is found at a degree doesn't hang on whether there is another one.
    is_same = _reach(now)[:-1] == _reach(then)[:-1]
    told, by_degree = compared(before, after, same_to=min(now.rounds, then.rounds) if is_same else 0)
    return Comparison(len(cases), told, by_degree)


def cases_last(count: int, now: datetime) -> list[Case]:
    return list(Case.objects.filter(opened_at__lte=now).order_by("-opened_at", "-pk")[:count])


def _counts(criteria: Criteria, cases: Sequence[Case], most: int | None = None) -> Counter[int]:
    """Count by degree whom a filter finds; each degree that it has is there."""
    counts = Counter(dict.fromkeys(range(1, criteria.rounds + 1), 0))
    by_end: dict[datetime | None, list[Case]] = defaultdict(list)
    for case in cases:
        by_end[case.counts_until].append(case)
    for until, group in by_end.items():
        seeds = [seed_of(case.pk, case, criteria) for case in group]
        left = None if most is None else most - counts.total()
        found = search(seeds, until=until, most=left)
        counts.update(exposed.degree for reached in found.values() for exposed in reached)
    return counts


def compared(
    before: Mapping[int, int], after: Mapping[int, int], *, same_to: int = 0
) -> tuple[Pair, dict[int, Pair]]:
    """Say how two filters' counts by degree differ, in all and by degree, and hide what points to a few.

    A change below TRACING_MIN_COUNT is itself a count of a few people. So is what it would follow from:
    the parts of a sum that is hidden, and the last part of one that is shown. Up to the degree ``same_to``
    the two can't differ.
    """
    is_same = same_to == len(before) == len(after)
    told = _pair(shown(sum(before.values())), sum(after.values()), is_same=is_same)
    was = shown_parts(before)
    pairs = {
        degree: _pair(was.get(degree, 0), after.get(degree, 0), is_same=degree <= same_to)
        for degree in sorted({*before, *after})
    }
    seen = [degree for degree in after if pairs[degree].then is not None]
    hidden: Iterable[int] = ()
    if told.then is None:
        hidden = after
    elif len(seen) + 1 == len(after) and seen:
        hidden = [min(seen, key=lambda degree: after[degree])]
    # A degree that a filter doesn't have is no count of people: it finds nobody there.
    zeros = {degree: Pair(pairs[degree].now, 0) for degree in before if degree not in after}
    return told, pairs | {degree: replace(pairs[degree], then=None) for degree in hidden} | zeros


def _pair(was: int | None, after: int, *, is_same: bool) -> Pair:
    if is_same:
        return Pair(was, was)
    then = shown(after)
    is_near = was is not None and then is not None and abs(then - was) < settings.TRACING_MIN_COUNT
    return Pair(was, None if is_near else then, is_near)


def direction(now: Criteria, then: Criteria) -> int:
    """Say what follows from two filters alone: the second can't find fewer (1), or more (-1), or neither (0).

    With an upper limit of time a longer contact may count no more, and with a second degree whoever is
    reached earlier has longer contacts: so then nothing follows, unless all else is the same.
    """
    if now.time_max_s is None and then.time_max_s is None:
        pairs = list(zip(_reach(now), _reach(then), strict=True))
    elif (now.rounds, *_distances(now)) == (1, *_distances(then)) and then.rounds == 1:
        pairs = list(zip(_reach(now)[:2], _reach(then)[:2], strict=True))
    else:
        return 0
    if all(after >= before for before, after in pairs):
        return 1
    return -1 if all(after <= before for before, after in pairs) else 0


def _distances(criteria: Criteria) -> tuple[float, float]:
    most = criteria.distance_max_m
    return criteria.distance_min_m, float("inf") if most is None else most


def _reach(criteria: Criteria) -> tuple[float, ...]:
    """Return what a filter finds people by, each so that a greater number finds no fewer."""
    least_m, most_m = _distances(criteria)
    most_s = float("inf") if criteria.time_max_s is None else criteria.time_max_s
    return (-criteria.time_min_s, most_s, -least_m, most_m, criteria.rounds)
