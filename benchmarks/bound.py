"""A total score that no division into groups can exceed: what `groups` is measured against."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from dating.pairing.people import Person, Scores, pair_scores, pools_of
from dating.pairing.sizes import split_one_pool, split_two_pools

K = TypeVar("K", bound=Hashable)


def upper_bound(people: Sequence[Person[K]], *, users_limit: int, two_pools: bool) -> float:
    """The total if everyone met the best partners there are for them, as many as a group could hold.

    For any groups of the sizes that ``groups`` makes, and the people that it takes. Counted from the side
    of either pool, whichever is less; in one pool every date is counted from both sides, and halved. It
    can't be reached, as a rule: the best partners of your best partners are others than yours.
    """
    if not two_pools:
        sizes = split_one_pool(len(people), users_limit)
        chosen = people[: sum(sizes)]
        scores = pair_scores(chosen, chosen).astype(np.float64)
        np.fill_diagonal(scores, -np.inf)
        return _best(scores, ((size, size - 1) for size in sizes)) / 2
    pools = pools_of(people)
    sizes_of = split_two_pools(len(pools[0]), len(pools[1]), users_limit)
    scores = pair_scores(pools[0][: sum(sizes_of[0])], pools[1][: sum(sizes_of[1])]).astype(np.float64)
    return min(_best(scores, zip(*sizes_of, strict=True)), _best(scores.T, zip(*sizes_of[::-1], strict=True)))


def total_score(groups: Iterable[Sequence[Person[K]]], *, two_pools: bool) -> int:
    """The total score of all the dates that these groups hold."""
    return sum(_of_group(group, two_pools) for group in groups)


def _of_group(group: Sequence[Person[K]], two_pools: bool) -> int:
    if two_pools:
        return int(pair_scores(*pools_of(group)).sum())
    scores: Scores = pair_scores(group, group)
    return int(np.triu(scores, 1).sum())


def _best(
    scores: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", groups: Iterable[tuple[int, int]]
) -> float:
    """The sum of every row's best ones, where a group has so many rows, and so many partners for each."""
    places = Counter[int]()
    for rows, partners in groups:
        places[partners] += rows
    best = -np.sort(-scores, axis=1)
    # What a further partner is worth goes to those with whom it is worth most; sizes differ by one at most.
    total = 0.0
    for number in range(max(places, default=0)):
        having = sum(rows for partners, rows in places.items() if partners > number)
        total += float(np.sort(best[:, number])[len(best) - having :].sum())
    return total
