"""Who is on call by the events of a calendar: together, by priority, and minute by minute."""

import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.calendars.facts import UNKNOWN, Happening, Read, Spell
from escalation.calendars.meaning import MOST, meant
from escalation.figures.fairness import loads_of
from escalation.schedules.row import Roster, final_row, on_call
from escalation.schedules.spells import Spells, on_duty

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
ANA, BO, CLEO = PEOPLE = [uuid.UUID(int=number) for number in range(1, 4)]
NOBODY: Final = frozenset[uuid.UUID]()


def spell(person: uuid.UUID, begin_h: int, end_h: int, priority: int = 0) -> Spell:
    return Spell(person, NOON + begin_h * HOUR, NOON + end_h * HOUR, priority)


def said(*spells: Spell, away: frozenset[uuid.UUID] = NOBODY) -> list[tuple[tuple[uuid.UUID, ...], int, int]]:
    """Who is on call from which hour after noon until which."""
    found = on_duty(Spells(spells), NOON - 99 * HOUR, NOON + 99 * HOUR, away=away)
    return [(each.user_ids, (each.starts_at - NOON) // HOUR, (each.ends_at - NOON) // HOUR) for each in found]


def test_those_whose_events_overlap_are_on_call_together() -> None:
    assert said(spell(ANA, 0, 4), spell(BO, 2, 6)) == [((ANA,), 0, 2), ((ANA, BO), 2, 4), ((BO,), 4, 6)]
    assert said(spell(BO, 0, 4), spell(ANA, 0, 4)) == [((BO, ANA), 0, 4)], "in the order of the event"


def test_events_that_follow_each_other_are_two_turns_also_of_one_person() -> None:
    assert said(spell(ANA, 0, 4), spell(ANA, 4, 8)) == [((ANA,), 0, 4), ((ANA,), 4, 8)]


def test_only_the_highest_priority_counts_and_leaves_others_whole_beside_it() -> None:
    night, holiday = spell(ANA, 0, 8), spell(BO, 2, 4, priority=1)
    assert said(night, holiday) == [((ANA,), 0, 2), ((BO,), 2, 4), ((ANA,), 4, 8)]
    # Changes among those that don't count cut nothing.
    covered = spell(ANA, 2, 3), spell(CLEO, 3, 4, priority=1)
    assert said(spell(BO, 0, 8, priority=2), *covered) == [((BO,), 0, 8)]
    assert said(night, holiday, away=frozenset({BO})) == [((ANA,), 0, 8)], "one who is away covers nobody"


def test_each_event_is_a_turn_of_its_own_however_others_cut_it() -> None:
    layer = Spells((spell(ANA, 0, 8), spell(ANA, 8, 16), spell(BO, 2, 4, priority=1)))
    roster = Roster((layer,))
    load = loads_of([roster], {ANA: ZoneInfo("UTC")}, begin=NOON, end=NOON + 20 * HOUR)[ANA]
    assert (load.turns, load.on_call) == (2, 14 * HOUR)


def test_an_entry_is_whole_whatever_part_of_it_is_asked_for() -> None:
    roster = Roster((Spells((spell(ANA, 0, 8), spell(BO, 6, 9), spell(CLEO, 20, 30))),))
    duty = on_call(roster, NOON + 7 * HOUR)
    assert duty is not None
    assert duty[:3] == ((ANA, BO), NOON + 6 * HOUR, NOON + 8 * HOUR)
    assert on_call(roster, NOON + 10 * HOUR) is None
    assert final_row(roster, NOON + 9 * HOUR, NOON + 20 * HOUR) == []


spells = st.builds(
    lambda person, begin, length, priority: spell(person, begin, begin + length, priority),
    st.sampled_from(PEOPLE),
    st.integers(0, 40),
    st.integers(1, 12),
    st.integers(0, 2),
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(spells, max_size=12), st.sets(st.sampled_from(PEOPLE), max_size=1), st.integers(0, 40))
def test_every_hour_has_those_of_the_highest_priority(
    made: list[Spell], away: set[uuid.UUID], asked: int
) -> None:
    layer, gone = Spells(tuple(made)), frozenset(away)
    row = on_duty(layer, NOON, NOON + 60 * HOUR, away=gone)
    assert all(one.ends_at <= another.starts_at for one, another in pairwise(row))
    for hour in range(60):
        at = NOON + hour * HOUR
        there = [each for each in made if each.starts_at <= at < each.ends_at and each.user_id not in gone]
        highest = max((each.priority for each in there), default=0)
        expected = {each.user_id for each in there if each.priority == highest}
        found = [set(each.user_ids) for each in row if each.starts_at <= at < each.ends_at]
        assert found == ([expected] if expected else []), hour
    # Asked for a part, it is that part of the whole.
    begin = NOON + asked * HOUR
    part = on_duty(layer, begin, begin + 3 * HOUR, away=gone)
    assert part == [each for each in row if each.starts_at < begin + 3 * HOUR and each.ends_at > begin]


def happening(*emails: str, day: int = 0, summary: str = "Shift", **ids: tuple[uuid.UUID, ...]) -> Happening:
    at = NOON + timedelta(days=day)
    return Happening(at, at + HOUR, 0, emails, ids.get("ids", ()), summary)


def test_ids_count_before_addresses_and_what_means_nobody_is_listed_once_with_its_times() -> None:
    read = Read(
        [
            happening("ana@x.org", "lost@x.org"),
            happening("lost@x.org", day=1),
            happening("lost@x.org", day=2),
            happening("bo@x.org", ids=(CLEO,)),
            happening("bo@x.org", ids=(uuid.UUID(int=9),), day=3),
            happening(ids=(uuid.UUID(int=9),), day=4, summary="Elsewhere"),
        ],
        [],
    )
    found = meant(read, by_email={"ana@x.org": ANA, "bo@x.org": BO}, known={CLEO})
    assert [each.user_id for each in found.spells] == [ANA, CLEO, BO]
    assert [(each["reason"], each["email"], each["summary"], each["times"]) for each in found.problems] == [
        (UNKNOWN, "lost@x.org", "Shift", 3), (UNKNOWN, "", "Elsewhere", 1),
    ]  # fmt: skip
    assert found.problems[0]["first_at"] == NOON.isoformat()


def test_of_many_problems_the_first_are_listed_and_all_are_counted() -> None:
    read = Read([happening(f"p{number}@x.org") for number in range(120)], [])
    found = meant(read, by_email={}, known=())
    assert (len(found.problems), found.problems_count) == (MOST, 120)
