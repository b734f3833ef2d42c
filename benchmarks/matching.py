"""`make bench-matching`: how good the groups are, against the original's way and against a bound.

People in two pools, ages 18 to 30, three cities, manual scores 1 to 3, drawn evenly with a fixed seed. The
original takes the smaller pool in order of rating, then of registration, gives each the best partner who
is free, and cuts the list into groups; neither of the two says anything about the score, so both are
drawn. The bound lets everyone meet the best partners there are, as many as a group could hold. With
``max_rounds`` the best dates are compared with the linear program over all pairs, written out.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, linprog
from scipy.sparse import eye_array, kron, vstack

from benchmarks.bound import total_score, upper_bound
from benchmarks.report import Report, parser, run, say, table
from dating.pairing import Person, best_dates, groups, pair_score
from dating.pairing.people import Scores, pair_scores, pools_of
from dating.pairing.rounds import coloured_rounds

SIZES = (40, 200, 1000)
USERS_LIMIT = 20
MAX_ROUNDS = 5
SEED = 20240101
#: For more people than this the linear program over all pairs takes too long: a proof takes its place.
LP_UP_TO = 200

People = list[Person[int]]
Counts = NDArray[np.float64]


def draw(size: int, chance: np.random.Generator) -> People:
    """People of two pools of equal size, in the order of their rating and registration."""
    ages, cities, scores = chance.integers((18, 0, 1), (31, 3, 4), (size, 3)).T.tolist()
    return [
        Person(number, number % 2, age, f"city {city}", score)
        for number, (age, city, score) in enumerate(zip(ages, cities, scores, strict=True))
    ]


def original(people: People) -> list[People]:
    """The original's way: each takes its best free partner, and the pairs are cut into groups in order."""
    first, second = pools_of(people)
    free = list(second)
    pairs = []
    for person in first:
        best = max(free, key=lambda other: pair_score(person, other))
        free.remove(best)
        pairs.append((person, best))
    half = USERS_LIMIT // 2
    return [
        [person for pair in pairs[at : at + half] for person in pair] for at in range(0, len(pairs), half)
    ]


def timed(work: Callable[[], list[People]]) -> tuple[list[People], float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def solved(scores: Scores, ones: Counts, others: Counts) -> OptimizeResult:
    """The linear program over kinds of people, of which there are so many: the dates of each two kinds."""
    rows, columns = scores.shape
    limits = vstack(
        [kron(eye_array(rows), np.ones((1, columns))), kron(np.ones((1, rows)), eye_array(columns))]
    )
    pairs = np.outer(ones, others).ravel()
    return linprog(
        -scores.ravel(),
        A_ub=limits,
        b_ub=MAX_ROUNDS * np.concatenate([ones, others]),
        bounds=np.stack([np.zeros(len(pairs)), pairs], axis=1),
    )


def linear_optimum(people: People) -> float:
    """The optimum of the linear program with one variable for every pair of people."""
    scores = pair_scores(*pools_of(people))
    return float(-solved(scores, *(np.ones(size) for size in scores.shape)).fun)


def linear_bound(people: People) -> float:
    """What the optimum of that linear program can't exceed: by its dual, with a price for each one's time.

    Any prices but negative ones give such a bound (weak duality). These are from the linear program whose
    variables are kinds of people. Where the bound is reached, it is the optimum.
    """
    pools = pools_of(people)
    alike = [[replace(each, key=0) for each in pool] for pool in pools]
    kinds = [list(Counter(pool)) for pool in alike]
    found = solved(pair_scores(*kinds), *(np.array(list(Counter(pool).values())) for pool in alike))
    prices = np.maximum(-found.ineqlin.marginals, 0)
    of_kind = [
        dict(zip(kinds[0], prices[: len(kinds[0])], strict=True)),
        dict(zip(kinds[1], prices[len(kinds[0]) :], strict=True)),
    ]
    ones, others = (np.array([of_kind[side][each] for each in pool]) for side, pool in enumerate(alike))
    over = pair_scores(*pools) - np.add.outer(ones, others)
    return float(MAX_ROUNDS * (ones.sum() + others.sum()) + over[over > 0].sum())


def best_total(people: People) -> tuple[int, int]:
    """The total score of the best dates, and the rounds that they take."""
    by_key = {each.key: each for each in people}
    dates = best_dates(people, max_rounds=MAX_ROUNDS, two_pools=True)
    return sum(pair_score(by_key[one], by_key[other]) for one, other in dates), len(coloured_rounds(dates))


def of_size(size: int, draws: int) -> dict[str, float]:
    chance = np.random.default_rng(SEED)
    against_original, against_bound, seconds, optimal = [], [], [], []
    for _ in range(draws):
        people = draw(size, chance)
        found, took_s = timed(lambda people=people: groups(people, users_limit=USERS_LIMIT, two_pools=True))
        total = total_score(found, two_pools=True)
        against_original.append(total / total_score(original(people), two_pools=True))
        against_bound.append(total / upper_bound(people, users_limit=USERS_LIMIT, two_pools=True))
        seconds.append(took_s)
        best, rounds = best_total(people)
        optimum = linear_optimum(people) if size <= LP_UP_TO else linear_bound(people)
        optimal.append(abs(best - optimum) < 1e-3 and rounds == MAX_ROUNDS)
    return {
        "original": mean(against_original),
        "bound": mean(against_bound),
        "least": min(against_bound),
        "seconds": mean(seconds),
        "slowest": max(seconds),
        "optimal": mean(optimal),
    }


def benchmark(options: argparse.Namespace) -> Report:
    found = {}
    for size in SIZES:
        say(f"{size} people, {options.draws} draws …")
        found[size] = of_size(size, options.draws)
    table(
        ["people", "× original", "of the bound", "worst draw", "mean", "slowest", "LP optimum reached"],
        [
            [
                size,
                f"{each['original']:.3f}",
                f"{each['bound']:.4f}",
                f"{each['least']:.4f}",
                f"{each['seconds'] * 1000:.0f} ms",
                f"{each['slowest'] * 1000:.0f} ms",
                f"{each['optimal']:.0%}",
            ]
            for size, each in found.items()
        ],
    )
    at_200, at_1000 = found[200], found[1000]
    return Report(
        name="matching",
        unit="of the bound, 200 people",
        ours=at_200["bound"],
        baselines={"original": at_200["bound"] / at_200["original"], "bound": 1.0},
        ratios={"original": at_200["original"], "bound": at_200["bound"]},
        musts={
            "original >= 1.75 at 200 people": at_200["original"] >= 1.75,
            "bound >= 0.92 at 200 people": at_200["bound"] >= 0.92,
            "1,000 people under 2 s": at_1000["slowest"] < 2,
            "max_rounds = 5 equals the linear program, every draw": all(
                each["optimal"] == 1 for each in found.values()
            ),
        },
    )


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--draws", type=int, default=50)
    sys.exit(run(benchmark, options.parse_args()))
