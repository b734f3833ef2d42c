"""The best set of dates when nobody is to meet more than so many people."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dating.pairing.colouring import colour_within
from dating.pairing.lazy_scipy import csgraph, optimize, sparse
from dating.pairing.people import BEST, Person, pair_scores, pools_of

K = TypeVar("K", bound=Hashable)
Floats = NDArray[np.float64]
Wholes = NDArray[np.int64]


def best_dates(group: Sequence[Person[K]], *, max_rounds: int, two_pools: bool) -> list[tuple[K, K]]:
    """The dates of the greatest total score, at most ``max_rounds`` a person; of such sets, a largest one.

    A date that is worth less than nothing is in none. Two pools: exact. People of a pool who are alike in
    all that counts form a class, and how many dates each two classes have is a transportation problem,
    whose linear program has a whole solution at every corner (its matrix is totally unimodular; Hoffman and
    Kruskal, 1956); HiGHS' simplex finds one. It is as good as one for every single person would be, since
    such a solution can be averaged over each class. One pool: the same by an integer program (HiGHS),
    nearly, since the dates are to fit into ``max_rounds`` rounds: of people who meet only each other and
    are odd in number one sits out in each, and the few dates for which a search finds no round are given
    up. They come in the order of those rounds.
    """
    if max_rounds < 1:
        raise ValueError(f"A person has at least 1 date, not {max_rounds}.")
    if two_pools:
        return _between_pools(*pools_of(group), max_rounds)
    return _in_one_pool(group, max_rounds)


def _between_pools(
    first: Sequence[Person[K]], second: Sequence[Person[K]], max_rounds: int
) -> list[tuple[K, K]]:
    rows, columns = _classes(first), _classes(second)
    scores = pair_scores([row[0] for row in rows], [column[0] for column in columns])
    sizes = np.array([len(row) for row in rows]), np.array([len(column) for column in columns])
    pairs = np.argwhere(scores >= 0)
    if not len(pairs):
        return []
    most = len(first) * max_rounds
    found = optimize().linprog(
        -(scores[pairs[:, 0], pairs[:, 1]] * (most + 1.0) + 1),
        A_ub=incidence(pairs + np.array([0, len(rows)]), len(rows) + len(columns)),
        b_ub=max_rounds * np.concatenate(sizes),
        bounds=np.stack([np.zeros(len(pairs)), sizes[0][pairs[:, 0]] * sizes[1][pairs[:, 1]]], axis=1),
        method="highs-ds",
    )
    # Give the dates of each two classes to their people, in turn, so that nobody gets more than the others.
    # Each class goes round and round. One person's dates with another class are consecutive there, and no
    # more than it has people, so nobody meets anyone twice.
    dates: list[tuple[K, K]] = []
    next_row, next_column = [0] * len(rows), [0] * len(columns)
    for (row, column), number in zip(pairs.tolist(), np.rint(found.x).astype(np.int64).tolist(), strict=True):
        ones, others = rows[row], columns[column]
        for turn in range(min(number, len(ones))):
            one = ones[(next_row[row] + turn) % len(ones)]
            for _ in range(number // len(ones) + (turn < number % len(ones))):
                dates.append((one.key, others[next_column[column] % len(others)].key))
                next_column[column] += 1
        next_row[row] += number
    return dates


def _classes(people: Sequence[Person[K]]) -> list[list[Person[K]]]:
    alike: dict[tuple[int, str, int], list[Person[K]]] = defaultdict(list)
    for person in people:
        alike[person.age, person.city, person.manual_score].append(person)
    return list(alike.values())


def incidence(pairs: Wholes, nodes: int) -> Any:
    """Which pairs (columns) each node (row) is in."""
    edges = np.repeat(np.arange(len(pairs)), 2)
    return sparse().csr_array((np.ones(2 * len(pairs)), (pairs.ravel(), edges)), shape=(nodes, len(pairs)))


def _in_one_pool(people: Sequence[Person[K]], max_rounds: int) -> list[tuple[K, K]]:
    scores = pair_scores(people, people)
    pairs = np.argwhere(np.triu(scores >= 0, 1))
    if not len(pairs):
        return []
    most = len(people) * max_rounds
    worth = scores[pairs[:, 0], pairs[:, 1]] * (most + 1.0) + 1
    limits = [optimize().LinearConstraint(incidence(pairs, len(people)), ub=max_rounds)]
    while True:
        found = optimize().milp(
            -worth,
            integrality=np.ones(len(pairs)),
            bounds=optimize().Bounds(0, 1),
            constraints=limits,
            # Nearer to the optimum than one point of score.
            options={"mip_rel_gap": 0.5 / (BEST * most), "node_limit": 500},
        )
        chosen = found.x > 0.5
        more = _overfull(pairs, chosen, len(people), max_rounds)
        if not more:
            dates = [(people[one].key, people[other].key) for one, other in pairs[chosen].tolist()]
            rounds, _ = colour_within(dates, max_rounds)
            return [date for round_ in rounds for date in round_]
        limits += more


def _overfull(pairs: Wholes, chosen: NDArray[np.bool_], nodes: int, max_rounds: int) -> list[Any]:
    """For each circle of people of odd number, who have more dates than the rounds can hold: the limit.

    In each round one of them sits out, so they hold ``max_rounds`` times half of the others, at most.
    """
    graph = sparse().csr_array((np.ones(chosen.sum()), pairs[chosen].T), shape=(nodes, nodes))
    number, circle_of = csgraph().connected_components(graph, directed=False)
    within = np.where(circle_of[pairs[:, 0]] == circle_of[pairs[:, 1]], circle_of[pairs[:, 0]], -1)
    limits = []
    for circle, size in enumerate(np.bincount(circle_of, minlength=number).tolist()):
        can_hold = max_rounds * ((size - 1) // 2)
        if size % 2 and (chosen & (within == circle)).sum() > can_hold:
            limits.append(optimize().LinearConstraint((within == circle).astype(float)[None, :], ub=can_hold))
    return limits
