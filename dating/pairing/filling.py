"""Dates for those who would have none under a limit of rounds, which says how many they have at most."""

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from dating.pairing.best import incidence
from dating.pairing.colouring import colour_within
from dating.pairing.lazy_scipy import optimize
from dating.pairing.people import Person, pair_scores

K = TypeVar("K", bound=Hashable)


def filled_up(
    group: Sequence[Person[K]], dates: Sequence[tuple[K, K]], *, max_rounds: int, two_pools: bool
) -> list[tuple[K, K]]:
    """Return the dates, and for people who have none as many as there is room for: the least bad.

    Of the largest sets one of the greatest score, by an integer program (HiGHS); its matrix is totally
    unimodular between two pools, so that it is solved as fast as a linear one.
    """
    had = Counter(chain.from_iterable(dates))
    room = np.array([max_rounds - had[person.key] for person in group])
    if not len(group) or room.max() < max_rounds:  # everybody has a date
        return list(dates)
    # The pairs, by their places, that may meet, have room, and of whom one has no date.
    has_none, has_room = room == max_rounds, room > 0
    possible = np.logical_or.outer(has_none, has_none) & np.logical_and.outer(has_room, has_room)
    if two_pools:
        pool = np.array([person.pool for person in group])
        pairs = np.argwhere(possible & np.logical_and.outer(pool == 0, pool != 0))
    else:
        pairs = np.argwhere(np.triu(possible, 1))
    if not len(pairs):
        return list(dates)
    scores = pair_scores(group, group)[pairs[:, 0], pairs[:, 1]]
    worth = (scores - scores.min()).astype(np.float64)
    one_more = (worth.max() + 1) * room.sum()  # than any other dates are worth in its place
    found = optimize().milp(
        -(worth + one_more),
        integrality=np.ones(len(pairs)),
        bounds=optimize().Bounds(0, 1),
        constraints=[optimize().LinearConstraint(incidence(pairs, len(group)), ub=room)],
        options={"node_limit": 500},
    )
    more = [(group[one].key, group[other].key) for one, other in pairs[found.x > 0.5].tolist()]
    if two_pools:
        return [*dates, *more]
    # A few of them may find no round.
    rounds, _ = colour_within([*dates, *more], max_rounds)
    return [date for round_ in rounds for date in round_]
