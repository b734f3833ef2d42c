"""Who is on call when: shifts over both changes of the clock, layers, restrictions, overrides, absences."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.schedules.hours import WEEKDAYS, Restriction, hours_of
from escalation.schedules.row import Roster, StandIn, final_row, on_call
from escalation.schedules.turns import Turns

ANA, BEN, CLEO = (uuid.UUID(int=number) for number in (1, 2, 3))
PARIS = ZoneInfo("Europe/Paris")


def layer(*people, hours=24, begins=datetime(2026, 3, 27, 8), zone=PARIS, per_turn=1, only=()):
    shift = timedelta(hours=hours)
    return Turns(zone, begins, shift, people, per_turn=per_turn, hours=hours_of(only))


def turns(*people, stand_ins=(), away=frozenset(), **more):
    """A schedule of one layer."""
    return Roster((layer(*people, **more),), stand_ins, away)


def on(weekdays, begin, end):
    return Restriction(tuple(weekdays.split()), time.fromisoformat(begin), time.fromisoformat(end))


WORKDAYS = "mon tue wed thu fri"
DAILY = " ".join(WEEKDAYS)


def paris(*parts, fold=0):
    return datetime(*parts, tzinfo=PARIS, fold=fold).astimezone(UTC)


def who(rotation, at):
    turn = on_call(rotation, at)
    if turn is None:
        return None
    return turn.user_ids[0] if len(turn.user_ids) == 1 else turn.user_ids


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
    assert turn == ((BEN,), paris(2026, 3, 28, 8), paris(2026, 3, 29, 8), 1, None)
    assert turn.ends_at - turn.starts_at == timedelta(hours=23)


def test_in_autumn_the_handoff_stays_at_eight_and_the_night_is_an_hour_longer():
    rotation = turns(ANA, BEN, begins=datetime(2026, 10, 23, 8))
    turn = on_call(rotation, paris(2026, 10, 25, 2, 30, fold=1))
    assert turn == ((BEN,), paris(2026, 10, 24, 8), paris(2026, 10, 25, 8), 1, None)
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
    row = [
        (turn.user_ids[0], turn.starts_at, turn.ends_at)
        for turn in final_row(rotation, paris(2026, 3, 27, 9), paris(2026, 3, 28, 9))
    ]
    edges = [paris(2026, 3, 27, hour) for hour in (8, 10, 12, 14, 16)]
    assert [person for person, *_ in row] == [ANA, CLEO, BEN, CLEO, ANA, ANA]
    assert [begin for _, begin, _ in row] == [*edges, paris(2026, 3, 28, 8)]
    assert all(end == begin for (_, _, end), (_, begin, _) in pairwise(row))


def test_the_next_in_the_order_takes_the_turns_of_who_is_away():
    rotation = turns(ANA, BEN, CLEO, away=frozenset({BEN}))
    assert [who(rotation, paris(2026, 3, 27 + day, 9)) for day in range(4)] == [ANA, CLEO, CLEO, ANA]
    assert on_call(turns(ANA, away=frozenset({ANA})), paris(2026, 3, 28)) is None
    away = stand_in(BEN, paris(2026, 3, 27, 8), paris(2026, 3, 28, 8))
    assert who(turns(ANA, stand_ins=(away,), away=frozenset({BEN})), paris(2026, 3, 27, 9)) == ANA


def shown(schedule, begin, end):
    """The final row as names and Paris's clock, and the layer or "override"."""
    names = {ANA: "Ana", BEN: "Ben", CLEO: "Cleo"}
    return [
        " ".join(
            (
                "+".join(names[each] for each in duty.user_ids),
                f"{duty.starts_at.astimezone(PARIS):%a %H:%M}–{duty.ends_at.astimezone(PARIS):%a %H:%M}",
                "override" if duty.override else str(duty.layer),
            )
        )
        for duty in final_row(schedule, begin, end)
    ]


def test_restrictions_leave_gaps_and_over_midnight_belong_to_the_day_on_which_they_begin():
    schedule = turns(ANA, hours=168, begins=datetime(2026, 1, 5), only=[on("fri sat", "22:00", "06:00")])
    assert shown(schedule, paris(2026, 1, 5), paris(2026, 1, 12)) == [
        "Ana Fri 22:00–Sat 06:00 1",
        "Ana Sat 22:00–Sun 06:00 1",
    ]
    # On Sunday night over the end of the week, in one piece.
    schedule = turns(ANA, hours=336, begins=datetime(2026, 1, 5), only=[on("sun", "20:00", "08:00")])
    assert shown(schedule, paris(2026, 1, 11, 23), paris(2026, 1, 12)) == ["Ana Sun 20:00–Mon 08:00 1"]


def test_hours_that_end_when_they_begin_are_a_whole_day_and_those_that_touch_are_one():
    weekend = [on("fri", "17:00", "00:00"), on("sat sun", "00:00", "00:00"), on("mon", "00:00", "08:00")]
    schedule = turns(ANA, hours=168, begins=datetime(2026, 1, 7), only=weekend)
    assert shown(schedule, paris(2026, 1, 7), paris(2026, 1, 13)) == ["Ana Fri 17:00–Mon 08:00 1"]


def test_nobody_loses_a_turn_by_a_restriction():
    """With weekdays only, the shifts of Saturday and Sunday use up no turn: 2026-01-09 is a Friday."""
    schedule = turns(ANA, BEN, CLEO, begins=datetime(2026, 1, 9), only=[on(WORKDAYS, "09:00", "17:00")])
    assert shown(schedule, paris(2026, 1, 9), paris(2026, 1, 15)) == [
        "Ana Fri 09:00–Fri 17:00 1",
        "Ben Mon 09:00–Mon 17:00 1",
        "Cleo Tue 09:00–Tue 17:00 1",
        "Ana Wed 09:00–Wed 17:00 1",
    ]
    # Nights only, by shifts of twelve hours: else two people would share all nights and the third, all days.
    nights = turns(ANA, BEN, hours=12, begins=datetime(2026, 1, 5, 8), only=[on(DAILY, "20:00", "08:00")])
    assert [each.split()[0] for each in shown(nights, paris(2026, 1, 5), paris(2026, 1, 9))] == [
        "Ana", "Ben", "Ana", "Ben",
    ]  # fmt: skip


def test_five_people_on_five_weekdays_keep_their_weekday_for_years():
    people = tuple(uuid.UUID(int=number) for number in range(1, 6))
    schedule = turns(*people, begins=datetime(2020, 1, 6, 8), only=[on(WORKDAYS, "08:00", "18:00")])
    for duty in final_row(schedule, paris(2026, 3, 1), paris(2026, 6, 1)):
        assert duty.user_ids == (people[duty.starts_at.astimezone(PARIS).weekday()],)


def test_a_shift_that_is_on_call_only_in_part_is_a_turn():
    schedule = turns(ANA, BEN, hours=168, begins=datetime(2026, 1, 5), only=[on("sun", "23:00", "01:00")])
    assert shown(schedule, paris(2026, 1, 5), paris(2026, 1, 19)) == [
        "Ana Mon 00:00–Mon 01:00 1",
        "Ana Sun 23:00–Mon 00:00 1",
        "Ben Mon 00:00–Mon 01:00 1",
        "Ben Sun 23:00–Mon 00:00 1",
    ]


def test_a_later_layer_lies_over_an_earlier_one_where_it_has_somebody():
    weeks = layer(ANA, hours=168, begins=datetime(2026, 1, 5))
    days = layer(BEN, begins=datetime(2026, 1, 5), only=[on("mon tue", "09:00", "17:00")])
    empty = layer(None, begins=datetime(2026, 1, 5))
    schedule = Roster((weeks, days, empty))
    assert shown(schedule, paris(2026, 1, 5), paris(2026, 1, 12)) == [
        "Ana Mon 00:00–Mon 09:00 1",
        "Ben Mon 09:00–Mon 17:00 2",
        "Ana Mon 17:00–Tue 09:00 1",
        "Ben Tue 09:00–Tue 17:00 2",
        "Ana Tue 17:00–Mon 00:00 1",
    ]
    # An entry is whole, however little of it is asked for.
    assert shown(schedule, paris(2026, 1, 8), paris(2026, 1, 9)) == ["Ana Tue 17:00–Mon 00:00 1"]
    away = Roster((weeks, days), away=frozenset({BEN}))
    assert shown(away, paris(2026, 1, 5), paris(2026, 1, 12)) == ["Ana Mon 00:00–Mon 00:00 1"]


def test_three_sites_follow_the_sun_by_their_own_clocks():
    """8 hours each. New York changes its clock first, on March 8th: an hour is then doubly covered."""
    daytime = [on(DAILY, "09:00", "17:00")]
    begins = datetime(2026, 3, 1)
    sites = [
        layer(person, begins=begins, zone=ZoneInfo(zone), only=daytime)
        for person, zone in ((ANA, "Asia/Tokyo"), (BEN, "Europe/Paris"), (CLEO, "America/New_York"))
    ]
    assert shown(Roster(tuple(sites)), paris(2026, 3, 7, 1), paris(2026, 3, 9, 1)) == [
        "Ana Sat 01:00–Sat 09:00 1",
        "Ben Sat 09:00–Sat 15:00 2",
        "Cleo Sat 15:00–Sat 23:00 3",
        "Ana Sun 01:00–Sun 09:00 1",
        "Ben Sun 09:00–Sun 14:00 2",
        "Cleo Sun 14:00–Sun 22:00 3",
    ]


def test_several_people_take_a_turn_and_the_next_one_makes_up_for_whoever_is_away():
    dan = uuid.UUID(int=4)
    schedule = turns(ANA, BEN, CLEO, dan, per_turn=2)
    days = [who(schedule, paris(2026, 3, 27 + day, 9)) for day in range(3)]
    assert days == [(ANA, BEN), (CLEO, dan), (ANA, BEN)]
    away = turns(ANA, BEN, CLEO, dan, per_turn=2, away=frozenset({BEN}))
    assert [who(away, paris(2026, 3, 27 + day, 9)) for day in range(2)] == [(ANA, CLEO), (CLEO, dan)]
    odd = turns(ANA, BEN, CLEO, per_turn=2)
    days = [who(odd, paris(2026, 3, 27 + day, 9)) for day in range(3)]
    assert days == [(ANA, BEN), (CLEO, ANA), (BEN, CLEO)]
    assert who(turns(ANA, ANA, per_turn=3), paris(2026, 3, 27, 9)) == ANA


def test_an_override_lies_over_all_layers_and_stands_for_all_of_a_turn():
    stands_in = stand_in(CLEO, paris(2026, 3, 27, 12), paris(2026, 3, 27, 14))
    schedule = turns(ANA, BEN, per_turn=2, stand_ins=(stands_in,))
    assert shown(schedule, paris(2026, 3, 27, 8), paris(2026, 3, 28, 8)) == [
        "Ana+Ben Fri 08:00–Fri 12:00 1",
        "Cleo Fri 12:00–Fri 14:00 override",
        "Ana+Ben Fri 14:00–Sat 08:00 1",
    ]


def test_hours_are_those_that_the_clock_shows_over_both_of_its_changes():
    night = [on(DAILY, "01:30", "02:30")]
    spring = turns(ANA, begins=datetime(2026, 3, 1), only=night)
    (duty,) = final_row(spring, paris(2026, 3, 29), paris(2026, 3, 29, 12))
    assert (duty.starts_at, duty.ends_at) == (paris(2026, 3, 29, 1, 30), paris(2026, 3, 29, 3))
    autumn = turns(ANA, begins=datetime(2026, 3, 1), only=night)
    first, again = final_row(autumn, paris(2026, 10, 25), paris(2026, 10, 25, 12))
    assert (first.starts_at, first.ends_at) == (paris(2026, 10, 25, 1, 30), paris(2026, 10, 25, 2, 30))
    assert again.starts_at == paris(2026, 10, 25, 2, fold=1)
    assert again.ends_at == paris(2026, 10, 25, 2, 30, fold=1)


def test_on_the_day_that_samoa_left_out_nobody_is_on_call_and_everybody_keeps_their_weekday():
    """After Thursday, December 29th, 2011 came Saturday the 31st; it was 10:00 of the 30th in UTC then."""
    apia = ZoneInfo("Pacific/Apia")
    schedule = turns(
        ANA, BEN, CLEO, zone=apia, begins=datetime(2011, 12, 28), only=[on(DAILY, "09:00", "17:00")]
    )
    row = final_row(schedule, datetime(2011, 12, 29, 10, tzinfo=UTC), datetime(2012, 1, 2, 9, tzinfo=UTC))
    days = [(f"{duty.starts_at.astimezone(apia):%d %H:%M}", duty.user_ids[0]) for duty in row]
    assert days == [("29 09:00", BEN), ("31 09:00", ANA), ("01 09:00", BEN), ("02 09:00", CLEO)]
    # Shifts shorter than the leap: each ends before the next one begins.
    short = turns(ANA, BEN, zone=apia, hours=5, begins=datetime(2011, 12, 28, 2))
    row = final_row(short, datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
    assert all(one.ends_at == next_.starts_at for one, next_ in pairwise(row))


instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@pytest.mark.slow
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
    assert who(rotation, turn.starts_at) == turn.user_ids[0]
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
    year = final_row(rotation, begin, end)
    assert year[0].starts_at <= begin < year[0].ends_at
    assert year[-1].ends_at >= end
    assert all(one.ends_at == next_.starts_at for one, next_ in pairwise(year))
    assert all(who(rotation, turn.starts_at) == turn.user_ids[0] for turn in year)
