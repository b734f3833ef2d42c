"""The final row of made-up schedules against another way to it: minute by minute, by the clock on the wall.

``FINAL_ROW_SCHEDULES`` and ``FINAL_ROW_DAYS`` make it larger: 50 schedules of three years take minutes.
"""

import os
import uuid
from array import array
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from escalation.schedules.hours import WEEKDAYS, Restriction, hours_of
from escalation.schedules.row import Roster, StandIn, final_row, on_call
from escalation.schedules.turns import Turns

SCHEDULES: Final = int(os.environ.get("FINAL_ROW_SCHEDULES", "12"))
DAYS: Final = int(os.environ.get("FINAL_ROW_DAYS", "21"))
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
WEEK: Final = 7 * 1440
PEOPLE: Final = [uuid.UUID(int=number) for number in range(1, 7)]
#: A day on which the clock of each zone is changed, or near one.
CHANGES: Final = {
    "Europe/Paris": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "Africa/Casablanca": [date(2025, 2, 23), date(2025, 4, 6)],
    "Asia/Tehran": [date(2022, 3, 22), date(2022, 9, 22)],
    "Pacific/Apia": [date(2011, 12, 30), date(2012, 4, 1)],
}


@dataclass(frozen=True)
class Written:
    """A layer as somebody writes it; ``begins`` is the first handoff."""

    zone: str
    begins: datetime
    shift_h: int
    people: tuple[uuid.UUID | None, ...]
    per_turn: int
    restrictions: tuple[Restriction, ...]

    def as_turns(self) -> Turns:
        shift = timedelta(hours=self.shift_h)
        zone, hours = ZoneInfo(self.zone), hours_of(self.restrictions)
        return Turns(zone, self.begins, shift, self.people, self.per_turn, hours)


clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 0, 15, 30, 59]))
restrictions = st.builds(
    Restriction,
    st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True).map(tuple),
    clock_times,
    clock_times,
)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[list[Written], list[StandIn], frozenset[uuid.UUID], datetime]:
    """Layers, overrides, who is away, and the time from which they are looked at."""
    zone = draw(st.sampled_from(list(CHANGES)))
    day = draw(st.sampled_from(CHANGES[zone]))
    since = datetime.combine(day, time(), tzinfo=UTC) - timedelta(
        days=draw(st.integers(2, max(2, DAYS // 2)))
    )
    layers = [
        Written(
            zone=draw(st.sampled_from([zone, zone, *CHANGES])),
            begins=datetime.combine(since.date(), draw(clock_times))
            + timedelta(days=draw(st.integers(-5, 5))),
            shift_h=draw(st.sampled_from([1, 5, 8, 12, 24, 36, 168])),
            people=tuple(draw(st.lists(st.sampled_from([*PEOPLE, None]), min_size=1, max_size=5))),
            per_turn=draw(st.integers(1, 3)),
            restrictions=tuple(draw(st.lists(restrictions, max_size=3))),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    stand_ins = []
    for _ in range(draw(st.integers(0, 2))):
        starts_at = since + draw(st.integers(0, DAYS * 1440)) * MINUTE
        until = starts_at + draw(st.integers(1, 3 * 1440)) * MINUTE
        stand_ins.append(StandIn(uuid.uuid4(), draw(st.sampled_from(PEOPLE)), starts_at, until))
    return layers, stand_ins, frozenset(draw(st.sets(st.sampled_from(PEOPLE), max_size=2))), since


@pytest.mark.slow
@settings(
    max_examples=SCHEDULES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(written=schedules())
def test_the_final_row_is_that_of_a_walk_minute_by_minute(
    written: tuple[list[Written], list[StandIn], frozenset[uuid.UUID], datetime],
) -> None:
    layers, stand_ins, away, since = written
    until = since + timedelta(days=DAYS)
    expected: list[tuple[object, ...]] = [()] * (DAYS * 1440)
    for place, layer in enumerate(layers, start=1):
        for minute, people in enumerate(walked(layer, since, until, away)):
            if people:
                expected[minute] = (*people, place)
    for stand_in in stand_ins:
        if stand_in.user_id not in away:
            first, after = ((at - since) // MINUTE for at in (stand_in.starts_at, stand_in.ends_at))
            for minute in range(first, min(after, len(expected))):
                expected[minute] = (stand_in.user_id, stand_in.id)

    roster = Roster(tuple(layer.as_turns() for layer in layers), tuple(stand_ins), away)
    row = final_row(roster, since, until)
    found: list[tuple[object, ...]] = [()] * len(expected)
    for duty in row:
        first, after = ((at - since) // MINUTE for at in (duty.starts_at, duty.ends_at))
        assert first < after
        for minute in range(max(0, first), min(after, len(found))):
            assert found[minute] == (), "two entries at once"
            found[minute] = (*duty.user_ids, duty.override or duty.layer)
    wrong = [minute for minute in range(len(expected)) if found[minute] != expected[minute]]
    assert not wrong, (since + wrong[0] * MINUTE, found[wrong[0]], expected[wrong[0]])
    # And each entry is what is found by its time alone, which makes it whole.
    for duty in row[:: max(1, len(row) // 50)]:
        assert on_call(roster, duty.starts_at) == duty == on_call(roster, duty.ends_at - timedelta(seconds=1))


def walked(
    layer: Written, since: datetime, until: datetime, away: frozenset[uuid.UUID]
) -> list[tuple[uuid.UUID, ...]]:
    """Return who a layer has on call in each minute."""
    walls = walls_of(layer.zone, since, until)
    handoffs, turns = walked_handoffs(layer, since, until), walked_turns(layer, until)
    open_minutes = minutes_open(layer.restrictions)
    shift = -1
    found = []
    for minute, wall in enumerate(walls):
        while shift + 1 < len(handoffs) and handoffs[shift + 1] <= minute:
            shift += 1
        is_open = shift >= 0 and open_minutes[wall % WEEK]
        found.append(on_duty(layer, turns[shift], away) if is_open else ())
    return found


@cache
def on_duty(layer: Written, turn: int, away: frozenset[uuid.UUID]) -> tuple[uuid.UUID, ...]:
    """Return whose turn it is: those there, in the order of places from that turn's first on."""
    first = turn * layer.per_turn % len(layer.people)
    order = layer.people[first:] + layer.people[:first]
    there = [each for each in dict.fromkeys(order) if each is not None and each not in away]
    return tuple(there[: layer.per_turn])


def walked_handoffs(layer: Written, since: datetime, until: datetime) -> list[int]:
    """Return the minute, from ``since``, of each handoff: the first at which the clock shows it.

    One that it leaps over comes as much later as it had been after the last minute shown, but not after those
    that follow it.
    """
    early = min(since, layer.begins.replace(tzinfo=UTC)) - timedelta(days=3)
    walls = walls_of(layer.zone, early, until + timedelta(days=3))
    before = (since - early) // MINUTE
    found: list[int] = []
    wanted, shift = as_minute(layer.begins), layer.shift_h * 60
    highest = walls[0]
    for minute, wall in enumerate(walls):
        if wall <= highest and minute:
            continue  # shown before
        while wanted <= wall:
            skipped = wanted - highest - 1 if wanted < wall else 0
            found.append(minute - before + skipped)
            wanted += shift
        highest = wall
    for place in range(len(found) - 2, -1, -1):
        found[place] = min(found[place], found[place + 1])
    return found


def walked_turns(layer: Written, until: datetime) -> list[int]:
    """Return the number of the turn that each shift is: how many before it were open for a minute."""
    open_minutes = minutes_open(layer.restrictions)
    first, shift = as_minute(layer.begins), layer.shift_h * 60
    end = as_minute(until.replace(tzinfo=None)) + 4 * 1440 + shift
    turns = [0]
    for begin in range(first, end, shift):
        is_turn = any(open_minutes[minute % WEEK] for minute in range(begin, begin + shift))
        turns.append(turns[-1] + is_turn)
    return turns


@cache
def minutes_open(restrictions: tuple[Restriction, ...]) -> list[bool]:
    """Return for each minute of a week from Monday whether it is within a restriction."""
    found = [not restrictions] * WEEK
    for each in restrictions:
        for weekday in each.weekdays:
            minute = WEEKDAYS.index(weekday) * 1440 + each.begin.hour * 60 + each.begin.minute
            found[minute % WEEK] = True
            minute += 1
            while minute % 1440 != each.end.hour * 60 + each.end.minute:
                found[minute % WEEK] = True
                minute += 1
    return found


@lru_cache(maxsize=8)
def walls_of(zone: str, since: datetime, until: datetime) -> "array[int]":
    """Return what the clock shows in each minute, as minutes since a Monday."""
    info = ZoneInfo(zone)
    minutes = range((until - since) // MINUTE)
    return array(
        "l", (as_minute((since + n * MINUTE).astimezone(info).replace(tzinfo=None)) for n in minutes)
    )


def as_minute(wall: datetime) -> int:
    return (wall - datetime(2001, 1, 1)) // MINUTE
