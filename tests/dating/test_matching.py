"""Who shares a group, and which dates are the best."""

from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from benchmarks.bound import total_score, upper_bound
from benchmarks.matching import draw, linear_bound, original
from dating.pairing import Person, best_dates, filled_up, groups, pair_score
from dating.pairing.grouping import BLOCK
from dating.pairing.people import pair_scores, pools_of
from tests.dating.strategies import people, pools


def person(age: int = 30, city: str = "Lyon", manual_score: int = 2) -> Person[int]:
    return Person(0, 0, age, city, manual_score)


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [
        (person(), person(), 12),
        (person(), person(age=33), 9),
        (person(), person(city="Nice"), 10),
        (person(manual_score=1), person(manual_score=3), 8),
        (person(age=18), person(age=40, city="Nice", manual_score=3), -14),
        (person(city=""), person(city=""), 10),
        (person(city=""), person(), 10),
    ],
)
def test_a_pair_scores_by_age_city_and_manual_score(one, other, score):
    assert pair_score(one, other) == pair_score(other, one) == score
    assert pair_scores([one], [other]).tolist() == [[score]]


both_kinds = st.booleans().flatmap(lambda two: st.tuples(st.just(two), people(two_pools=two, largest=50)))


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=40)
@given(both_kinds, st.integers(2, 12))
def test_groups_hold_everyone_who_can_meet_somebody_and_nobody_twice(drawn, users_limit):
    two_pools, everyone = drawn
    made = groups(everyone, users_limit=users_limit, two_pools=two_pools)
    grouped = [each.key for group in made for each in group]
    assert len(grouped) == len(set(grouped))
    assert all(2 <= len(group) <= users_limit for group in made)
    sizes = [[len(pool) for pool in pools_of(group)] for group in made]
    for pool in zip(*sizes, strict=True):
        assert max(pool) - min(pool) <= 1, "groups are as even as can be"
    scarce = min(map(len, pools_of(everyone))) if two_pools else len(everyone) // 2
    assert all(min(each) for each in sizes) or not two_pools, "each group has people of both pools"
    assert len(grouped) == min(len(everyone) if scarce else 0, scarce * users_limit)
    assert total_score(made, two_pools=two_pools) <= upper_bound(
        everyone, users_limit=users_limit, two_pools=two_pools
    )


def test_partial_groups_are_run():
    made = groups(pools(11, 10), users_limit=20, two_pools=True)
    assert sorted(map(len, made)) == [10, 11]
    made = groups(pools(21, 0), users_limit=20, two_pools=False)
    assert sorted(map(len, made)) == [10, 11]


def test_where_one_pool_is_too_small_for_all_those_who_came_first_take_part():
    [group] = groups(pools(25, 1), users_limit=20, two_pools=True)
    assert {each.key for each in group} == {*range(19), 25}


@pytest.mark.parametrize(
    ("first", "second", "two_pools"), [(0, 0, True), (5, 0, True), (0, 3, True), (1, 0, False)]
)
def test_nobody_to_meet_means_no_group(first, second, two_pools):
    assert groups(pools(first, second), users_limit=20, two_pools=two_pools) == []


def test_a_group_of_one_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        groups(pools(2, 2), users_limit=1, two_pools=True)


@pytest.mark.parametrize("two_pools", [True, False])
def test_the_same_people_get_the_same_groups(two_pools):
    everyone = draw(60, np.random.default_rng(1))
    first, again = (groups(everyone, users_limit=20, two_pools=two_pools) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("two_pools", [True, False])
def test_small_events_get_the_best_groups_there_are(two_pools):
    for seed in range(6):
        everyone = draw(8, np.random.default_rng(seed))
        made = groups(everyone, users_limit=4, two_pools=two_pools)
        assert total_score(made, two_pools=two_pools) == max(
            total_score([half, [each for each in everyone if each not in half]], two_pools=two_pools)
            for half in combinations(everyone, 4)
            if not two_pools or sum(each.pool for each in half) == 2
        )


@pytest.mark.slow
def test_200_people_are_grouped_as_well_as_the_issue_asks():
    chance = np.random.default_rng(7)
    of_bound, of_original = [], []
    for _ in range(5):
        everyone = draw(200, chance)
        total = total_score(groups(everyone, users_limit=20, two_pools=True), two_pools=True)
        of_bound.append(total / upper_bound(everyone, users_limit=20, two_pools=True))
        of_original.append(total / total_score(original(everyone), two_pools=True))
    assert np.mean(of_bound) >= 0.92
    assert np.mean(of_original) >= 1.75


def test_one_pool_is_grouped_nearly_as_well_as_the_bound():
    everyone = draw(200, np.random.default_rng(7))
    total = total_score(groups(everyone, users_limit=20, two_pools=False), two_pools=False)
    assert total >= 0.9 * upper_bound(everyone, users_limit=20, two_pools=False)


@pytest.mark.parametrize("two_pools", [True, False])
def test_more_people_than_are_divided_at_once_are_divided_too(two_pools, monkeypatch):
    monkeypatch.setattr("dating.pairing.grouping.BLOCK", 60)
    monkeypatch.setattr("dating.pairing.grouping.HUGE", 60)
    assert BLOCK > 60
    everyone = draw(205, np.random.default_rng(3))
    made = groups(everyone, users_limit=20, two_pools=two_pools)
    assert sorted(each.key for group in made for each in group) == list(range(205))
    assert len(made) == 11
    total = total_score(made, two_pools=two_pools)
    assert total >= 0.8 * upper_bound(everyone, users_limit=20, two_pools=two_pools)


def optimum(everyone: list[Person[int]], max_rounds: int) -> float:
    """The linear program over all pairs, written out row by row."""
    first, second = pools_of(everyone)
    pairs = list(product(range(len(first)), range(len(second))))
    if not pairs:
        return 0
    limits = [[float(pair[0] == one) for pair in pairs] for one in range(len(first))]
    limits += [[float(pair[1] == one) for pair in pairs] for one in range(len(second))]
    worth = [-pair_score(first[one], second[other]) for one, other in pairs]
    return -linprog(worth, A_ub=limits, b_ub=[max_rounds] * len(limits), bounds=(0, 1)).fun


def total_of(dates, everyone) -> int:
    by_key = {each.key: each for each in everyone}
    return sum(pair_score(by_key[one], by_key[other]) for one, other in dates)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=40)
@given(people(two_pools=True), st.integers(1, 6))
def test_the_best_dates_of_two_pools_are_the_optimum_of_the_linear_program(everyone, max_rounds):
    dates = best_dates(everyone, max_rounds=max_rounds, two_pools=True)
    assert total_of(dates, everyone) == pytest.approx(optimum(everyone, max_rounds), abs=1e-6)


def test_the_best_dates_of_200_people_are_proved_by_the_dual():
    everyone = draw(200, np.random.default_rng(5))
    dates = best_dates(everyone, max_rounds=5, two_pools=True)
    assert total_of(dates, everyone) == pytest.approx(linear_bound(everyone))


def test_of_sets_worth_the_same_the_largest_is_taken():
    everyone = [Person(0, 0, 18, "Lyon", 3), Person(1, 1, 30, "Lyon", 3)]
    assert pair_score(*everyone) == 0
    assert best_dates(everyone, max_rounds=1, two_pools=True) == [(0, 1)]
    assert best_dates(everyone, max_rounds=1, two_pools=False) == [(0, 1)]


def test_alike_people_share_their_dates_evenly():
    dates = best_dates(pools(4, 10), max_rounds=5, two_pools=True)
    per_person = [sum(person in date for date in dates) for person in range(14)]
    assert per_person == [5] * 4 + [2] * 10


def test_the_best_dates_of_one_pool_are_the_best_of_all_that_fit_into_the_rounds():
    everyone = draw(6, np.random.default_rng(2))
    dates = best_dates(everyone, max_rounds=1, two_pools=False)
    best = max(
        sum(pair_score(order[at], order[at + 1]) for at in (0, 2, 4)) for order in permutations(everyone)
    )
    assert total_of(dates, everyone) == best


def test_nobody_has_less_than_one_date():
    with pytest.raises(ValueError, match="at least 1"):
        best_dates(pools(2, 2), max_rounds=0, two_pools=True)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.booleans().flatmap(lambda two: st.tuples(st.just(two), people(two_pools=two))), st.integers(1, 5))
def test_nobody_is_without_a_date_who_could_have_one_and_all_fit_into_the_rounds(drawn, max_rounds):
    two_pools, everyone = drawn
    best = best_dates(everyone, max_rounds=max_rounds, two_pools=two_pools)
    dates = filled_up(everyone, best, max_rounds=max_rounds, two_pools=two_pools)
    assert set(best) <= set(dates)
    assert len({frozenset(date) for date in dates}) == len(dates)
    had = Counter(key for date in dates for key in date)
    assert max(had.values(), default=0) <= max_rounds
    alone = [each for each in everyone if not had[each.key]]
    for each in alone:
        others = [
            other for other in everyone if other is not each and (not two_pools or other.pool != each.pool)
        ]
        assert all(had[other.key] == max_rounds for other in others), "somebody had room for them"


def test_people_far_apart_in_age_have_as_many_dates_as_the_limit_allows():
    far = [Person(at, at % 2, 25 if at % 2 else 45, f"city {at % 2}", 2) for at in range(10)]
    assert best_dates(far, max_rounds=3, two_pools=True) == []
    dates = filled_up(far, [], max_rounds=3, two_pools=True)
    assert Counter(key for date in dates for key in date) == Counter(dict.fromkeys(range(10), 3))
