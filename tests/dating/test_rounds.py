"""Rounds: any sizes, one pool or two, any no-shows."""

from collections import Counter
from itertools import combinations, pairwise, product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dating.pairing import best_dates
from dating.pairing.blossom import largest_matching
from dating.pairing.colouring import colour_within
from dating.pairing.repairing import next_round
from dating.pairing.rounds import coloured_rounds, complete_rounds
from tests.dating.strategies import people, pools

#: The 21 evenings of R. Fisman, S. Iyengar, E. Kamenica and I. Simonson, "Gender Differences in Mate
#: Selection" (Quarterly Journal of Economics, 2006) had pools of 5 to 22 people: any two sizes are tried.
STUDY = range(5, 23)

#: People are missing from so many rounds, at most.
MISSING = 6

both_kinds = st.booleans().flatmap(lambda two: st.tuples(st.just(two), people(two_pools=two, largest=15)))


def pairs(rounds) -> list[frozenset]:
    return [frozenset(date) for held in rounds for date in held]


def assert_nobody_twice(rounds) -> None:
    for held in rounds:
        busy = [person for date in held for person in date]
        assert len(busy) == len(set(busy)), "somebody is in two places"
    met = pairs(rounds)
    assert len(met) == len(set(met)), "somebody meets somebody twice"
    assert all(len(pair) == 2 for pair in met)


def possible(group, two_pools) -> set[frozenset]:
    return {
        frozenset((one.key, other.key))
        for one, other in combinations(group, 2)
        if not two_pools or one.pool != other.pool
    }


def byes(rounds, keys) -> Counter:
    missed = Counter(dict.fromkeys(keys, 0))
    for held in rounds:
        missed.update(set(keys) - {person for date in held for person in date})
    return missed


@settings(deadline=None, derandomize=True, max_examples=50)
@given(both_kinds)
def test_everyone_meets_everyone_once_and_byes_are_even_at_any_moment(drawn):
    two_pools, group = drawn
    rounds = complete_rounds(group, two_pools=two_pools)
    assert_nobody_twice(rounds)
    assert set(pairs(rounds)) == possible(group, two_pools)
    if not rounds:
        return
    for pool in {each.pool for each in group}:
        keys = [each.key for each in group if each.pool == pool]
        for held in range(len(rounds) + 1):
            missed = byes(rounds[:held], keys)
            assert max(missed.values()) - min(missed.values()) <= 1


def test_an_evening_of_two_pools_takes_as_many_rounds_as_the_larger_has_people():
    for first, second in [*product(STUDY, STUDY), (1, 7), (7, 1), (1, 1)]:
        group = pools(first, second)
        rounds = complete_rounds(group, two_pools=True)
        assert len(rounds) == max(first, second)
        assert {len(group) - 2 * len(held) for held in rounds} == {abs(first - second)}, "the byes of a round"
        assert len(set(pairs(rounds))) == first * second
        assert all(one < first <= other for held in rounds for one, other in held), "pool 0 is named first"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 9, 20, 21])
def test_an_evening_of_one_pool_takes_the_fewest_rounds_there_can_be(size):
    rounds = complete_rounds(pools(size, 0), two_pools=False)
    assert len(rounds) == (0 if size < 2 else size - 1 + size % 2)
    assert {len(held) for held in rounds} <= {size // 2}


def test_a_bye_is_as_far_from_the_next_as_can_be():
    rounds = complete_rounds(pools(12, 6), two_pools=True)
    for person in range(12):
        sits_out = [all(person not in date for date in held) for held in rounds]
        assert not any(one and other for one, other in pairwise(sits_out))


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=50)
@given(both_kinds, st.integers(1, 8))
def test_under_max_rounds_exactly_the_chosen_dates_take_place_in_as_few_rounds_as_can_be(drawn, max_rounds):
    two_pools, group = drawn
    dates = best_dates(group, max_rounds=max_rounds, two_pools=two_pools)
    rounds = coloured_rounds(dates)
    assert_nobody_twice(rounds)
    assert sorted(date for held in rounds for date in held) == sorted(dates)
    busiest = max(Counter(person for date in dates for person in date).values(), default=0)
    assert busiest <= max_rounds
    assert busiest <= len(rounds) <= (busiest if two_pools else max_rounds)
    assert set(map(frozenset, dates)) <= possible(group, two_pools)


edges_in_one_pool = st.integers(2, 11).flatmap(
    lambda size: st.lists(st.sampled_from(list(combinations(range(size), 2))), unique=True)
)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(edges_in_one_pool)
def test_any_dates_in_one_pool_take_one_round_more_at_most(dates):
    rounds = coloured_rounds(dates)
    assert_nobody_twice(rounds)
    assert sorted(date for held in rounds for date in held) == sorted(dates)
    busiest = max(Counter(person for date in dates for person in date).values(), default=0)
    assert busiest <= len(rounds) <= busiest + 1


def test_misra_and_gries_colour_what_no_exchange_of_two_colours_does(monkeypatch):
    """The fallback is rare, so it is asked alone here: no first tries."""
    monkeypatch.setattr("dating.pairing.colouring.TRIES", 0)
    for size in range(2, 14):
        for step in (1, 2, 3):
            dates = list(combinations(range(size), 2))[::step]
            rounds = coloured_rounds(dates)
            assert_nobody_twice(rounds)
            assert sorted(date for held in rounds for date in held) == dates
            busiest = max(Counter(person for date in dates for person in date).values())
            assert len(rounds) <= busiest + 1


def test_dates_for_which_there_are_too_few_rounds_are_left_over():
    triangle = [(1, 2), (2, 3), (1, 3)]
    classes, left_over = colour_within(triangle, 2)
    assert sorted(map(len, classes)) == [1, 1]
    assert len(left_over) == 1


def hold(rounds, present_in) -> list[list]:
    """Hold an evening in which some are missing now and then, until no date is left for those present."""
    remaining = [date for held in rounds for date in held]
    held = []
    for number in range(len(remaining) + len(rounds) + MISSING + 1):
        planned = [date for date in (rounds[number] if number < len(rounds) else []) if date in remaining]
        present = present_in(number)
        now = next_round(remaining, present, planned=planned)
        assert all(person in present for date in now for person in date)
        if not now and number >= len(rounds) + MISSING:
            return held
        held.append(now)
        remaining = [date for date in remaining if date not in now]
    raise AssertionError("the evening does not end")


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=50)
@given(both_kinds, st.data())
def test_whoever_is_missing_the_others_meet_and_nobody_twice(drawn, data):
    two_pools, group = drawn
    keys = {each.key for each in group}
    rounds = complete_rounds(group, two_pools=two_pools)
    some = st.sets(st.sampled_from(sorted(keys) or [0]))
    missing = data.draw(st.lists(some, max_size=MISSING), label="missing")
    held = hold(rounds, lambda number: keys - (missing[number] if number < len(missing) else set()))
    assert_nobody_twice(held)
    assert set(pairs(held)) == possible(group, two_pools), (
        "all meet in the end, since all are there in the end"
    )


@settings(deadline=None, derandomize=True, max_examples=40)
@given(people(two_pools=True, largest=15), st.data())
def test_with_the_same_people_missing_all_along_no_round_is_wasted(group, data):
    keys = {each.key for each in group}
    gone = data.draw(st.sets(st.sampled_from(sorted(keys) or [0])), label="gone")
    there = [each for each in group if each.key not in gone]
    held = hold(complete_rounds(group, two_pools=True), lambda number: keys - gone)
    fewest = len(complete_rounds(there, two_pools=True))
    assert sum(bool(now) for now in held) == fewest
    assert set(pairs(held)) == possible(there, True)


def test_the_partner_of_somebody_missing_meets_another_whose_partner_is_missing():
    remaining = [(1, "a"), (2, "b"), (3, "c"), (1, "b"), (2, "c"), (3, "a")]
    planned = remaining[:3]
    assert next_round(remaining, {1, 2, 3, "a", "b", "c"}, planned=planned) == planned
    now = next_round(remaining, {1, 3, "b", "c"}, planned=planned)
    assert sorted(now) == [(1, "b"), (3, "c")]


def test_those_whose_partners_are_there_keep_to_the_plan():
    remaining = list(product((1, 2, 3), "abc"))
    for planned in complete_rounds(pools(3, 3), two_pools=True):
        plan = [(one + 1, "abc"[other - 3]) for one, other in planned]
        missing, kept = plan[0][1], plan[1:]
        assert sorted(next_round(remaining, {1, 2, 3, *"abc"} - {missing}, planned=plan)) == sorted(kept)


def test_spare_dates_are_for_those_only_who_would_meet_nobody():
    remaining, spare = [(1, "a"), (2, "b")], [(1, "b"), (2, "a"), (3, "c")]
    assert next_round(remaining, {1, "a", 2}, spare=spare) == [(1, "a")]
    assert sorted(next_round(remaining, {1, "b", 2, "c", 3}, spare=spare)) == [(2, "b"), (3, "c")]
    assert next_round(remaining, {1, "b"}, spare=spare) == [(1, "b")]


def test_in_one_pool_too_those_whom_the_plan_provides_for_do_meet_somebody():
    group = pools(9, 0)
    rounds = complete_rounds(group, two_pools=False)
    dates = [date for held in rounds for date in held]
    present = set(range(9)) - {person for date in rounds[0][:1] for person in date[:1]}
    now = next_round(dates, present, planned=rounds[0])
    assert len(now) == 4, "eight people are there, and all of them meet somebody"
    assert {person for date in rounds[0][1:] for person in date} <= {
        person for date in now for person in date
    }


def test_in_one_pool_too_the_plan_comes_before_whoever_has_a_bye():
    assert next_round([(3, 1), (3, 2), (1, 2), (4, 3)], {1, 2, 3}, planned=[(1, 2)]) == [(1, 2)]


@settings(deadline=None, derandomize=True, max_examples=80)
@given(edges_in_one_pool)
# Its odd circle has to be shrunk.
@example([(2, 5), (4, 5), (2, 4), (3, 5), (2, 3)])
def test_the_largest_matching_is_as_large_as_the_best_of_all(edges):
    def largest(rest: frozenset) -> int:
        if not rest:
            return 0
        one = min(rest)
        others = [other for other in rest if (one, other) in edges]
        return max([largest(rest - {one}), *(1 + largest(rest - {one, other}) for other in others)])

    everyone = {person for edge in edges for person in edge}
    found = largest_matching(edges, begin_with=edges[:1], urgent_first=sorted(everyone))
    assert_nobody_twice([found])
    assert len(found) == largest(frozenset(everyone))
    assert set(edges[0] if edges else ()) <= {person for edge in found for person in edge}


def test_rounds_are_the_same_again_for_the_same_people():
    dates = list(product(range(6), range(6, 11)))
    assert coloured_rounds(dates) == coloured_rounds(list(dates))
