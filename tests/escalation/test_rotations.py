"""Who is on call when: shifts over both changes of the clock, who stands in, and who is away."""

import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.rotations.turns import StandIn, Turns, between, on_call

ANA, BEN, CLEO = (uuid.UUID(int=number) for number in (1, 2, 3))
PARIS = ZoneInfo("Europe/Paris")


def turns(*people, hours=24, begins=datetime(2026, 3, 27, 8), zone=PARIS, **more):
    return Turns(zone=zone, begins=begins, shift=timedelta(hours=hours), people=people, **more)


def paris(*parts, fold=0):
    return datetime(*parts, tzinfo=PARIS, fold=fold).astimezone(UTC)


def who(rotation, at):
    turn = on_call(rotation, at)
    return turn and turn.user_id


def stand_in(person, starts_at, ends_at):
    return StandIn(uuid.uuid4(), person, starts_at, ends_at)


def test_people_take_turns_in_their_order_from_handoff_to_handoff():
    rotation = turns(ANA, BEN)
    assert who(rotation, paris(2026, 3, 27, 8)) == ANA
    assert who(rotation, paris(2026, 3, 28, 7, 59)) == ANA
    assert who(rotation, paris(2026, 3, 28, 8)) == BEN
    assert who(rotation, paris(2026, 3, 29, 8)) == ANA
    assert on_call(rotation, paris(2026, 3, 27, 12))[1:3] == (paris(2026, 3, 27, 8), paris(2026, 3, 28, 8))


def test_nobody_is_on_call_before_the_first_shift_or_in_a_rotation_without_people():
    assert on_call(turns(ANA), paris(2026, 3, 27, 7, 59)) is None
    assert on_call(turns(), paris(2026, 3, 28)) is None


def test_a_place_whose_person_left_is_the_next_ones_and_moves_nobody_else():
    rotation = turns(ANA, None, BEN, CLEO)
    days = [who(rotation, paris(2026, 3, 27 + day, 8)) for day in range(4)]
    assert days == [ANA, BEN, BEN, CLEO]
    assert on_call(turns(None), paris(2026, 3, 28)) is None


def test_in_spring_the_handoff_stays_at_eight_and_the_night_is_an_hour_shorter():
    turn = on_call(turns(ANA, BEN), paris(2026, 3, 29, 1))
    assert turn == (BEN, paris(2026, 3, 28, 8), paris(2026, 3, 29, 8), False)
    assert turn.ends_at - turn.starts_at == timedelta(hours=23)


def test_in_autumn_the_handoff_stays_at_eight_and_the_night_is_an_hour_longer():
    rotation = turns(ANA, BEN, begins=datetime(2026, 10, 23, 8))
    turn = on_call(rotation, paris(2026, 10, 25, 2, 30, fold=1))
    assert turn == (BEN, paris(2026, 10, 24, 8), paris(2026, 10, 25, 8), False)
    assert turn.ends_at - turn.starts_at == timedelta(hours=25)


def test_a_weekly_handoff_keeps_its_weekday_and_hour_for_a_year():
    rotation = turns(ANA, BEN, CLEO, hours=168, begins=datetime(2026, 1, 5, 9))
    for week in range(52):
        monday = date(2026, 1, 5) + timedelta(weeks=week)
        before, after = (
            paris(monday.year, monday.month, monday.day, hour, minute) for hour, minute in ((8, 59), (9, 0))
        )
        assert who(rotation, after) == (ANA, BEN, CLEO)[week % 3]
        assert who(rotation, before) == ((ANA, BEN, CLEO)[(week - 1) % 3] if week else None)


def test_twelve_hour_shifts_hand_over_at_eight_and_eight_in_winter_and_summer():
    rotation = turns(ANA, BEN, hours=12, begins=datetime(2026, 1, 1, 8))
    for day in ((2026, 2, 1), (2026, 7, 1), (2026, 12, 1)):
        assert who(rotation, paris(*day, 8)) == ANA == who(rotation, paris(*day, 19, 59))
        assert who(rotation, paris(*day, 20)) == BEN == who(rotation, paris(*day, 7, 59))


def test_a_handoff_that_the_clock_leaps_over_happens_after_the_leap():
    rotation = turns(ANA, BEN, begins=datetime(2026, 3, 28, 2, 30))
    assert on_call(rotation, paris(2026, 3, 29, 12)).starts_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_handoff_that_the_clock_shows_twice_happens_at_the_first():
    rotation = turns(ANA, BEN, begins=datetime(2026, 10, 24, 2, 30))
    assert who(rotation, paris(2026, 10, 25, 2, 29)) == ANA
    assert who(rotation, paris(2026, 10, 25, 2, 30)) == BEN
    assert who(rotation, paris(2026, 10, 25, 2, 10, fold=1)) == BEN


def test_who_stands_in_is_on_call_for_exactly_that_time_and_the_last_made_wins():
    first = stand_in(CLEO, paris(2026, 3, 27, 10), paris(2026, 3, 27, 16))
    second = stand_in(BEN, paris(2026, 3, 27, 12), paris(2026, 3, 27, 14))
    rotation = turns(ANA, stand_ins=(first, second))
    shown = [
        (turn.user_id, turn.starts_at, turn.ends_at)
        for turn in between(rotation, paris(2026, 3, 27, 9), paris(2026, 3, 28, 9))
    ]
    edges = [paris(2026, 3, 27, hour) for hour in (8, 10, 12, 14, 16)]
    assert [person for person, *_ in shown] == [ANA, CLEO, BEN, CLEO, ANA, ANA]
    assert [begin for _, begin, _ in shown] == [*edges, paris(2026, 3, 28, 8)]
    assert all(end == begin for (_, _, end), (_, begin, _) in pairwise(shown))


def test_the_next_in_the_order_takes_the_turns_of_who_is_away():
    rotation = turns(ANA, BEN, CLEO, away=frozenset({BEN}))
    assert [who(rotation, paris(2026, 3, 27 + day, 9)) for day in range(4)] == [ANA, CLEO, CLEO, ANA]
    assert on_call(turns(ANA, away=frozenset({ANA})), paris(2026, 3, 28)) is None
    away = stand_in(BEN, paris(2026, 3, 27, 8), paris(2026, 3, 28, 8))
    assert who(turns(ANA, stand_ins=(away,), away=frozenset({BEN})), paris(2026, 3, 27, 9)) == ANA


instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(
    at=instants,
    hours=st.sampled_from([1, 5, 8, 12, 24, 72, 168]),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    minutes=st.integers(0, 1439),
)
def test_every_instant_is_in_one_shift_whose_edges_are_handoffs_by_the_clock(at, hours, zone, minutes):
    begins = datetime(2024, 12, 1) + timedelta(minutes=minutes)
    rotation = turns(ANA, BEN, CLEO, hours=hours, begins=begins, zone=ZoneInfo(zone))
    turn = on_call(rotation, at)
    assert turn.starts_at <= at < turn.ends_at
    assert who(rotation, turn.starts_at) == turn.user_id
    # By another way: at the edges the clock shows a whole number of shifts since then, but for a leap.
    wall = turn.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert (wall - begins) % timedelta(hours=hours) <= timedelta(hours=1)


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York"])
def test_the_shifts_of_a_year_follow_each_other_without_gap_or_overlap(zone):
    rotation = turns(
        ANA,
        BEN,
        hours=8,
        begins=datetime(2025, 12, 31, 6),
        zone=ZoneInfo(zone),
        stand_ins=(
            stand_in(CLEO, datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 30, 1, tzinfo=UTC)),
        ),
    )
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    year = list(between(rotation, begin, end))
    assert year[0].starts_at <= begin < year[0].ends_at
    assert year[-1].ends_at >= end
    assert all(one.ends_at == next_.starts_at for one, next_ in pairwise(year))
    assert all(who(rotation, turn.starts_at) == turn.user_id for turn in year)
