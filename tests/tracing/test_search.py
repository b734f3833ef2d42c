"""The fast search against the reference on made-up contacts of every awkward kind, and what it reads."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import undone
from tests.tracing.storing import store
from tests.tracing.test_ward import as_exposures
from tracing import packing
from tracing.reference import Meetings, Record, Rule, backward, exposures
from tracing.search import Known, Seed, rows, search

pytestmark = pytest.mark.django_db

DAY = 1_586_131_200  # a midnight
SINCE, UNTIL = DAY + 1_000, DAY + 2_000
ROUNDS = 3
# Few devices and round times, so that records overlap, touch, repeat, tie, and stand across onsets and ends.
devices = st.integers(1, 5)
records = st.builds(
    lambda one, other, start, length, distance: Record(
        one, other, DAY + start, DAY + start + length, distance
    ),
    devices,
    devices,
    st.integers(90, 210).map(lambda tens: tens * 10),
    st.sampled_from([10, 29, 30, 40, 60, 100, 300]),
    st.sampled_from([0.5, 1.0, 2.0]),
)
rules = st.builds(
    Rule,
    rounds=st.just(ROUNDS),
    time_min=st.sampled_from([0, 30, 60, 100]),
    time_max=st.sampled_from([None, None, 60, 200]),
    distance_min=st.sampled_from([None, None, 1.0]),
    distance_max=st.sampled_from([None, None, 1.0]),
)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def seed(case: object, device: int, rule: Rule, since: int = SINCE) -> Seed:
    return Seed(
        case,
        device,
        moment(since),
        rule.rounds,
        rule.time_min,
        rule.time_max,
        rule.distance_min,
        rule.distance_max,
    )


def meeting(one: int, other: int, start: int, end: int, distance: float = 1.0) -> Record:
    return Record(one, other, SINCE + start, SINCE + end, distance)


CYCLE = [meeting(1, 2, 0, 100), meeting(2, 3, 50, 200), meeting(3, 1, 60, 300), meeting(3, 4, 250, 400)]
TIE = [meeting(1, 2, 0, 60), meeting(1, 3, 0, 60), meeting(2, 4, 60, 120), meeting(4, 3, 60, 120)]
BOTH_SIDES = [meeting(1, 2, 0, 60), meeting(2, 1, 30, 90), meeting(1, 2, 0, 60), meeting(2, 2, 0, 60)]
BEFORE_ONSET = [meeting(1, 2, 500, 600), meeting(2, 3, 0, 540), meeting(2, 4, 0, 500)]


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contacts=st.lists(records, max_size=25),
    rules=st.lists(rules, min_size=1, max_size=4),
    late=st.integers(0, 25),
)
@example(contacts=CYCLE, rules=[Rule(ROUNDS)], late=0)
@example(contacts=TIE, rules=[Rule(ROUNDS, 60)], late=2)
@example(contacts=BOTH_SIDES, rules=[Rule(ROUNDS, 90), Rule(ROUNDS, 91)], late=0)
@example(contacts=BOTH_SIDES, rules=[Rule(ROUNDS, 90), Rule(ROUNDS, 91)], late=2)
@example(contacts=BEFORE_ONSET, rules=[Rule(ROUNDS, 40), Rule(ROUNDS, 0)], late=3)
def test_whatever_the_contacts_the_search_finds_what_the_reference_does(
    contacts: list[Record], rules: list[Rule], late: int
) -> None:
    with undone():
        assert_finds_what_the_reference_does(contacts, rules, late)


def assert_finds_what_the_reference_does(contacts: list[Record], rules: list[Rule], late: int) -> None:
    store(contacts[late:])
    packing.pack(datetime.now(UTC))
    store(contacts[:late])
    wanted = {(number, device): rule for number, rule in enumerate(rules) for device in range(1, 6)}
    seeds = [seed(case, case[1], rule) for case, rule in wanted.items()]

    meetings = Meetings(contacts)
    for reverse, reference in ((False, exposures), (True, backward)):
        found = search(seeds, until=moment(UNTIL), backward=reverse)
        for case, rule in wanted.items():
            expected = reference(meetings, case[1], rule, SINCE, UNTIL)
            assert as_exposures(found[case]) == expected


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contacts=st.lists(records, max_size=25), rule=rules, gone=st.integers(0, 25), late=st.integers(0, 25))
@example(contacts=CYCLE, rule=Rule(ROUNDS), gone=1, late=2)
def test_from_what_is_known_of_records_that_are_gone_it_goes_on_as_the_reference_does(
    contacts: list[Record], rule: Rule, gone: int, late: int
) -> None:
    """Some records are searched and then gone, others come after the first search."""
    first, rest = Meetings(contacts[late:]), contacts[gone:]
    known = {device: exposures(first, device, rule, SINCE, UNTIL) for device in range(1, 6)}
    seeds = [
        replace(
            seed(device, device, rule),
            known=[Known(each.device, each.degree, each.onset) for each in reached],
        )
        for device, reached in known.items()
    ]
    with undone():
        store(rest)
        found = search(seeds, until=moment(UNTIL))
    for device, reached in known.items():
        expected = exposures(Meetings(rest), device, rule, SINCE, UNTIL, reached)
        assert as_exposures(found[device]) == expected


def exposed(contacts: Sequence[Record], **rule: float | None) -> list[tuple[int, int, int]]:
    store(contacts)
    found = search([seed(1, 1, Rule(ROUNDS, **rule))], until=moment(UNTIL))[1]
    return [(each.device_id, each.degree, each.seconds) for each in found]


def test_what_both_phones_recorded_counts_once() -> None:
    assert exposed(BOTH_SIDES, time_min=90) == [(2, 1, 90)]


def test_contacts_days_apart_add_up_but_the_time_between_them_does_not_count() -> None:
    contacts = [meeting(1, 2, 0, 100), meeting(1, 2, 800, 900)]
    assert exposed(contacts, time_min=200) == [(2, 1, 200)]


def test_a_record_of_half_a_minute_counts_and_a_shorter_one_does_not() -> None:
    assert exposed([meeting(1, 2, 0, 29), meeting(1, 3, 0, 30)], time_min=0) == [(3, 1, 30)]


def test_a_contact_before_the_onset_exposes_nobody() -> None:
    assert exposed(BEFORE_ONSET, time_min=40) == [(2, 1, 100), (3, 2, 40)]


def test_seeds_of_different_filters_and_rounds_do_not_meet() -> None:
    store(CYCLE)
    seeds = [seed("one", 1, Rule(1)), seed("three", 1, Rule(3)), seed("near", 1, Rule(3, distance_max=0.5))]
    found = search(seeds, until=moment(UNTIL))
    assert [each.device_id for each in found["one"]] == [2, 3]
    assert [each.device_id for each in found["three"]] == [2, 3, 4]
    assert found["near"] == []


def test_a_batch_of_cases_takes_two_statements_a_degree() -> None:
    store([meeting(device, device + 1, device * 30, device * 30 + 300) for device in range(1, 30)])
    seeds = [seed(device, device, Rule(3)) for device in range(1, 20)]
    search(seeds, until=moment(UNTIL))  # from the third time on the statement is a prepared one
    with CaptureQueriesContext(connection) as by_django:
        before = _statements()
        found = search(seeds, until=moment(UNTIL))
        assert _statements() - before == 6
    assert len(by_django) == 2  # those that count
    assert all(found.values())


def _statements() -> int:
    """How many times prepared statements over the interactions were run in this session."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(generic_plans + custom_plans), 0) FROM pg_prepared_statements "
            "WHERE statement ~ 'tracing_(interaction|packedday)' AND statement NOT LIKE '%pg_prepared%'"
        )
        return int(cursor.fetchone()[0])


def test_a_search_from_many_reads_the_same_another_way_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store([meeting(device, device + 1, device * 30, device * 30 + 300) for device in range(1, 30)])
    seeds = [seed(device, device, Rule(3)) for device in range(1, 20)]
    one_by_one = search(seeds, until=moment(UNTIL))
    monkeypatch.setattr(rows, "MANY", 1)
    with CaptureQueriesContext(connection) as savepoints:
        assert search(seeds, until=moment(UNTIL)) == one_by_one
    assert (
        sum("ROLLBACK TO" in each["sql"] for each in savepoints) == 3
    )  # what was set for it, at each degree
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE source = 'session' AND name ~ 'cost|parallel'")
        assert cursor.fetchall() == []


def test_records_that_are_read_for_some_devices_at_a_time_make_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store([meeting(device, device + 1, device * 30, device * 30 + 300) for device in range(1, 30)])
    seeds = [seed(device, device, Rule(3)) for device in range(1, 20)]
    at_once = search(seeds, until=moment(UNTIL))
    monkeypatch.setattr(rows, "READ_DEVICES", 2)
    assert search(seeds, until=moment(UNTIL)) == at_once


def test_nobody_to_search_from_finds_nobody() -> None:
    assert search([], until=moment(UNTIL)) == {}
    assert search([seed(1, 99, Rule(3))], until=moment(UNTIL)) == {1: []}


def test_two_seeds_of_one_case_are_refused() -> None:
    with pytest.raises(ValueError, match="same case"):
        search([seed(1, 1, Rule(1)), seed(1, 2, Rule(1))], until=moment(UNTIL))
