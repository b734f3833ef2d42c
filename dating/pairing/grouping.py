"""Who shares a group: chosen for the greatest total score of all the dates that the groups will hold."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dating.pairing.lazy_scipy import optimize
from dating.pairing.people import Person, pair_scores, pools_of
from dating.pairing.sizes import split_one_pool, split_two_pools

K = TypeVar("K", bound=Hashable)
Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: The same people in the same order get the same groups, also when a killed job does it again.
SEED: Final = 20240101
#: In points of score: hot enough for any arrangement at first, cool enough at last to settle.
HOT: Final = 20.0
COOL: Final = 0.5
#: An event of any usual size is tried several times over; a huge one once, and more quickly.
STARTS: Final = 4
STEPS: Final = 40
STEPS_IF_HUGE: Final = 12
STEPS_AT_LEAST: Final = 6
HUGE: Final = 400
#: No more people than this are divided at once, for the time grows with the cube of their number.
BLOCK: Final = 500


def groups(people: Sequence[Person[K]], *, users_limit: int, two_pools: bool) -> list[list[Person[K]]]:
    """Divide people into groups of at most ``users_limit``, as even in size as can be, in each pool.

    There are as few groups as hold everyone, but never more than the smaller pool has people (or half of
    one pool), so that there is somebody to meet in each: then those who come last in ``people`` take part
    in none. No group at all is the answer when a pool is empty, or when there are fewer than two people.

    Finding the best groups is NP-hard (it holds graph partitioning). Two pools: with the groups of one pool
    fixed, the best groups of the other are an assignment problem, solved exactly (Crouse's variant of
    Jonker and Volgenant, in scipy), so the pools take turns; to get out of the poor optima in which that
    ends, each turn adds Gumbel noise of falling temperature to the scores (the perturb-and-MAP sampling of
    Papandreou and Yuille, 2011, with the cooling of Kirkpatrick et al., 1983), then turns without noise
    until nothing is gained. One pool: exchanges of two people, drawn in the same way among all exchanges
    with one person (a heat bath), then the best ones while there are any. docs/dating.md and `make
    bench-matching` say how far from a bound this ends.
    """
    chance = np.random.default_rng(SEED)
    if two_pools:
        pools = pools_of(people)
        shares = split_two_pools(len(pools[0]), len(pools[1]), users_limit)
        first, second = (pool[: sum(pool_sizes)] for pool, pool_sizes in zip(pools, shares, strict=True))
        found = []
        for begin, end in _blocks([sum(both) for both in zip(*shares, strict=True)]):
            found += _of_block(
                _block(first, shares[0], begin, end),
                _block(second, shares[1], begin, end),
                shares[0][begin:end],
                shares[1][begin:end],
                chance,
                len(people),
            )
        return found
    sizes = split_one_pool(len(people), users_limit)
    found = []
    for begin, end in _blocks(sizes):
        here = _block(people[: sum(sizes)], sizes, begin, end)
        found += _of_one_block(here, sizes[begin:end], chance, len(people))
    return found


def _of_block(
    first: Sequence[Person[K]],
    second: Sequence[Person[K]],
    first_sizes: Sequence[int],
    second_sizes: Sequence[int],
    chance: np.random.Generator,
    of_all: int,
) -> list[list[Person[K]]]:
    if len(first_sizes) == 1:
        return [[*first, *second]]
    scores = pair_scores(first, second).astype(np.float64)
    tried = [
        _take_turns(scores, first_sizes, second_sizes, chance, _steps(of_all))
        for _ in range(STARTS if of_all <= HUGE else 1)
    ]
    _, of_first, of_second = max(tried, key=lambda each: each[0])
    return [
        [*_members(first, of_first, number), *_members(second, of_second, number)]
        for number in range(len(first_sizes))
    ]


def _take_turns(
    scores: Floats,
    first_sizes: Sequence[int],
    second_sizes: Sequence[int],
    chance: np.random.Generator,
    steps: int,
) -> tuple[float, Places, Places]:
    """One anneal from a random start: the total, and the group of everyone of both pools."""
    of_second = chance.permutation(np.repeat(np.arange(len(second_sizes)), second_sizes))
    for heat in np.geomspace(HOT, COOL, steps):
        of_first = _best_places(_sums(scores, of_second, second_sizes), first_sizes, chance, heat)
        of_second = _best_places(_sums(scores.T, of_first, first_sizes), second_sizes, chance, heat)
    best = -np.inf
    while True:
        of_first = _best_places(_sums(scores, of_second, second_sizes), first_sizes)
        with_first = _sums(scores.T, of_first, first_sizes)
        of_second = _best_places(with_first, second_sizes)
        total = float(with_first[np.arange(len(of_second)), of_second].sum())
        if total <= best:
            return total, of_first, of_second
        best = total


def _sums(scores: Floats, places: Places, sizes: Sequence[int]) -> Floats:
    """What each row's person would get from each group of the others."""
    member = np.zeros((len(places), len(sizes)))
    member[np.arange(len(places)), places] = 1
    return scores @ member


def _best_places(
    sums: Floats, sizes: Sequence[int], chance: np.random.Generator | None = None, heat: float = 0
) -> Places:
    """Assign every person a group, no group more than its size: the greatest total."""
    if chance is not None:
        sums = sums + chance.gumbel(scale=heat, size=sums.shape)
    places = np.repeat(np.arange(len(sizes)), sizes)
    _, seats = optimize().linear_sum_assignment(sums[:, places], maximize=True)
    found: Places = places[seats]
    return found


def _of_one_block(
    people: Sequence[Person[K]], sizes: Sequence[int], chance: np.random.Generator, of_all: int
) -> list[list[Person[K]]]:
    scores = pair_scores(people, people).astype(np.float64)
    np.fill_diagonal(scores, 0)
    places = chance.permutation(np.repeat(np.arange(len(sizes)), sizes))
    sums = _sums(scores, places, sizes)
    for heat in np.geomspace(HOT / 2, COOL, min(_steps(of_all), STEPS_IF_HUGE)):
        _exchange_all(scores, places, sums, chance.gumbel(scale=heat, size=scores.shape))
    quiet = np.zeros_like(scores)
    while _exchange_all(scores, places, sums, quiet):
        pass
    return [_members(people, places, number) for number in range(len(sizes))]


def _blocks(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of groups that are chosen together: all, unless those are more people than ``BLOCK``."""
    number = -(-sum(sizes) // BLOCK)
    for block in range(number):
        begin, end = (len(sizes) * edge // number for edge in (block, block + 1))
        if begin < end:
            yield begin, end


def _block(people: Sequence[Person[K]], sizes: Sequence[int], begin: int, end: int) -> Sequence[Person[K]]:
    """The people of a block of groups: they are next to each other, sorted by what counts most."""
    if end - begin == len(sizes):
        return people
    ordered = sorted(people, key=lambda each: (each.manual_score, each.city, each.age))
    return ordered[sum(sizes[:begin]) : sum(sizes[:end])]


def _steps(people: int) -> int:
    if people <= HUGE:
        return STEPS
    return max(STEPS_AT_LEAST, min(STEPS_IF_HUGE, STEPS_IF_HUGE * BLOCK // people))


def _exchange_all(scores: Floats, places: Places, sums: Floats, noise: Floats) -> int:
    """Let each person in turn change places with whom it gains most (noise added); count the exchanges."""
    everyone = np.arange(len(places))
    done = 0
    for one in everyone:
        here = places[one]
        gains = sums[one, places] - sums[one, here] + sums[:, here] - sums[everyone, places] - 2 * scores[one]
        gains[places == here] = 0
        other = int((gains + noise[one]).argmax())
        there = places[other]
        if there == here or (gains[other] <= 0 and not noise[one].any()):
            continue
        change = scores[other] - scores[one]
        sums[:, here] += change
        sums[:, there] -= change
        places[one], places[other] = there, here
        done += 1
    return done


def _members(people: Sequence[Person[K]], places: NDArray[Any], number: int) -> list[Person[K]]:
    return [person for person, place in zip(people, places, strict=True) if place == number]
