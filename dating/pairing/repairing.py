"""The next round when people are missing: those who are there meet, as many as can be."""

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

import numpy as np

from dating.pairing.blossom import largest_matching
from dating.pairing.lazy_scipy import optimize

K = TypeVar("K", bound=Hashable)


def next_round(
    remaining: Sequence[tuple[K, K]],
    present: Collection[K],
    *,
    planned: Sequence[tuple[K, K]] = (),
    spare: Sequence[tuple[K, K]] = (),
) -> list[tuple[K, K]]:
    """Choose the dates of the next round out of those that have not taken place.

    ``planned`` are those of ``remaining`` which this round was to hold. While nobody is missing from a
    complete evening, it is they. Else it is as many dates of ``remaining`` as can be held at once. Two
    pools: among such choices first one that leaves out as few as possible of those who have the most dates
    before them, so that the rest takes as many rounds as the busiest of those present has dates left; then
    one that keeps most of the plan (a matching of the greatest weight; Jonker and Volgenant's method, in
    scipy). One pool: whoever still meets somebody by the plan does meet somebody, and of the others those
    with most dates before them are preferred (Edmonds' method).

    Then ``spare``, dates that were not chosen but might be held, fill up with those who would have nobody
    to meet; the caller leaves out those who have met enough.
    """
    there = set(present)
    first = _matching(_among(remaining, there), _among(planned, there))
    busy = {person for date in first for person in date}
    return first + _matching(_among(spare, there - busy), [])


def _among(dates: Sequence[tuple[K, K]], there: set[K]) -> list[tuple[K, K]]:
    return [date for date in dict.fromkeys(dates) if date[0] in there and date[1] in there]


def _matching(dates: Sequence[tuple[K, K]], planned: Sequence[tuple[K, K]]) -> list[tuple[K, K]]:
    """A largest set of dates of which no two share a person; see ``next_round`` for which one."""
    left = Counter(person for date in dates for person in date)
    firsts = list(dict.fromkeys(first for first, _ in dates))
    seconds = list(dict.fromkeys(second for _, second in dates))
    if set(firsts).isdisjoint(seconds):
        wanted = set(planned)
        if not dates:
            return []
        most = max(left.values())
        # Each rule outweighs all that those after it could add up to.
        for_busiest = len(firsts) + 1
        for_date = 2 * for_busiest * for_busiest
        rows = {person: number for number, person in enumerate(firsts)}
        columns = {person: number for number, person in enumerate(seconds)}
        worth = np.zeros((len(firsts), len(seconds)))
        for one, other in dates:
            busiest = (left[one] == most) + (left[other] == most)
            worth[rows[one], columns[other]] = for_date + for_busiest * busiest + ((one, other) in wanted)
        found = optimize().linear_sum_assignment(worth, maximize=True)
        chosen = set(zip(*(places.tolist() for places in found), strict=True))
        return [(one, other) for one, other in dates if (rows[one], columns[other]) in chosen]
    urgent = sorted(left, key=lambda person: -left[person])
    return largest_matching(dates, begin_with=planned, urgent_first=urgent)
