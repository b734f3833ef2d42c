"""When quiet hours end: over midnight, over both changes of the clock, in zones with and without them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifications.quiet_hours import held_until

PARIS, NEW_YORK, LORD_HOWE = "Europe/Paris", "America/New_York", "Australia/Lord_Howe"
TOKYO, KATHMANDU, UTC_ZONE = "Asia/Tokyo", "Asia/Kathmandu", "UTC"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock(text: str) -> time:
    return time.fromisoformat(text)


@pytest.mark.parametrize(
    ("now", "zone", "begin", "end", "expected"),
    [
        # Within a day, and over midnight; the end is the first instant that is not quiet any more.
        ("2026-01-15 12:59:59", UTC_ZONE, "13:00", "14:00", None),
        ("2026-01-15 13:00:00", UTC_ZONE, "13:00", "14:00", "2026-01-15 14:00"),
        ("2026-01-15 13:59:59", UTC_ZONE, "13:00", "14:00", "2026-01-15 14:00"),
        ("2026-01-15 14:00:00", UTC_ZONE, "13:00", "14:00", None),
        ("2026-01-15 21:59:59", UTC_ZONE, "22:00", "07:00", None),
        ("2026-01-15 22:00:00", UTC_ZONE, "22:00", "07:00", "2026-01-16 07:00"),
        ("2026-01-16 06:59:59", UTC_ZONE, "22:00", "07:00", "2026-01-16 07:00"),
        ("2026-01-16 07:00:00", UTC_ZONE, "22:00", "07:00", None),
        ("2026-01-16 00:00:00", UTC_ZONE, "00:00", "07:00", "2026-01-16 07:00"),
        ("2026-01-15 23:59:59", UTC_ZONE, "22:00", "00:00", "2026-01-16 00:00"),
        # All but a minute.
        ("2026-01-15 12:30:00", UTC_ZONE, "12:30", "12:29", "2026-01-16 12:29"),
        ("2026-01-15 12:29:30", UTC_ZONE, "12:30", "12:29", None),
        # By the clock on the person's wall, not by ours.
        ("2026-01-15 20:59:00", PARIS, "22:00", "07:00", None),
        ("2026-01-15 21:00:00", PARIS, "22:00", "07:00", "2026-01-16 06:00"),
        ("2026-07-15 20:00:00", PARIS, "22:00", "07:00", "2026-07-16 05:00"),
        ("2026-01-15 13:00:00", TOKYO, "22:00", "07:00", "2026-01-15 22:00"),
        ("2026-01-15 16:15:00", KATHMANDU, "22:00", "07:00", "2026-01-16 01:15"),
        ("2026-01-16 04:00:00", NEW_YORK, "22:00", "07:00", "2026-01-16 12:00"),
        # The clock is put forward at night: the quiet hours are an hour shorter, and end by the new time.
        ("2026-03-28 21:30:00", PARIS, "22:00", "07:00", "2026-03-29 05:00"),
        ("2026-03-08 03:30:00", NEW_YORK, "22:00", "07:00", "2026-03-08 11:00"),
        ("2026-10-03 12:00:00", LORD_HOWE, "22:00", "07:00", "2026-10-03 20:00"),
        # It is put back: an hour longer (half an hour on Lord Howe).
        ("2026-10-24 21:30:00", PARIS, "22:00", "07:00", "2026-10-25 06:00"),
        ("2026-11-01 03:30:00", NEW_YORK, "22:00", "07:00", "2026-11-01 12:00"),
        ("2026-04-04 12:00:00", LORD_HOWE, "22:00", "07:00", "2026-04-04 20:30"),
        # The end is a time that the clock leaps over: they end at the leap.
        ("2026-03-29 00:30:00", PARIS, "22:00", "02:30", "2026-03-29 01:00"),
        ("2026-03-08 06:30:00", NEW_YORK, "22:00", "02:30", "2026-03-08 07:00"),
        ("2026-10-03 15:00:00", LORD_HOWE, "22:00", "02:15", "2026-10-03 15:30"),
        # So is the beginning: they begin at the leap.
        ("2026-03-29 00:59:59", PARIS, "02:30", "07:00", None),
        ("2026-03-29 01:00:00", PARIS, "02:30", "07:00", "2026-03-29 05:00"),
        # Both are: there are none that day.
        ("2026-03-29 01:00:00", PARIS, "02:10", "02:50", None),
        # The end is a time that the clock shows twice: they last until the second.
        ("2026-10-24 23:59:00", PARIS, "22:00", "02:30", "2026-10-25 01:30"),
        ("2026-10-25 00:45:00", PARIS, "22:00", "02:30", "2026-10-25 01:30"),
        ("2026-10-25 01:29:59", PARIS, "22:00", "02:30", "2026-10-25 01:30"),
        ("2026-10-25 01:30:00", PARIS, "22:00", "02:30", None),
        ("2026-11-01 05:45:00", NEW_YORK, "22:00", "01:30", "2026-11-01 06:30"),
        ("2026-04-04 15:10:00", LORD_HOWE, "22:00", "01:45", "2026-04-04 15:15"),
        # So is the beginning: they begin at the first.
        ("2026-10-25 00:29:59", PARIS, "02:30", "07:00", None),
        ("2026-10-25 00:30:00", PARIS, "02:30", "07:00", "2026-10-25 06:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(
    now: str, zone: str, begin: str, end: str, expected: str | None
) -> None:
    assert held_until(utc(now), zone, clock(begin), clock(end)) == (utc(expected) if expected else None)


def test_now_may_be_given_in_any_zone() -> None:
    now = datetime(2026, 1, 15, 23, 30, tzinfo=ZoneInfo(PARIS))
    assert held_until(now, PARIS, time(22), time(7)) == utc("2026-01-16 06:00")


def test_a_zone_that_is_not_there_any_more_counts_as_utc() -> None:
    for zone in ("Mars/Olympus", "", "../etc/passwd"):
        assert held_until(utc("2026-01-15 23:00"), zone, time(22), time(7)) == utc("2026-01-16 07:00")


CHANGES = [
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 4, 5),
    date(2026, 10, 4),
]
minutes = st.integers(0, 24 * 60 - 1).map(lambda n: time(n // 60, n % 60))
# Any time at all, and again and again the days around a change, where the mistakes are.
anytime = st.datetimes(datetime(2015, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
near_a_change = st.builds(
    lambda day, seconds: datetime.combine(day, time(), UTC) + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.integers(-2 * 86_400, 2 * 86_400),
)
zones = st.one_of(
    st.sampled_from([PARIS, NEW_YORK, LORD_HOWE]), st.sampled_from(sorted(available_timezones()))
)


def is_quiet_on_the_wall(wall: time, begin: time, end: time) -> bool:
    return begin <= wall < end if begin < end else wall >= begin or wall < end


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, database=None, derandomize=True)
@given(now=st.one_of(anytime, near_a_change), zone=zones, begin=minutes, end=minutes)
@example(now=utc("2026-10-25 00:45"), zone=PARIS, begin=time(2, 31), end=time(2, 30))
def test_whatever_is_held_is_held_until_the_end_and_no_longer_than_25_hours(
    now: datetime, zone: str, begin: time, end: time
) -> None:
    if begin == end:
        return
    tz = ZoneInfo(zone)
    until = held_until(now, zone, begin, end)
    wall = now.astimezone(tz).time()
    if until is None:
        assert not is_quiet_on_the_wall(wall, begin, end)
        return
    assert now < until <= now + timedelta(hours=25)
    shown = until.astimezone(tz)
    before = (until - timedelta(seconds=1)).astimezone(tz)
    leapt_over = before.replace(tzinfo=None) < datetime.combine(shown, end) < shown.replace(tzinfo=None)
    assert shown.time() == end or leapt_over
    no_change = (now - timedelta(hours=25)).astimezone(tz).utcoffset() == shown.utcoffset()
    if no_change and not leapt_over:
        assert is_quiet_on_the_wall(wall, begin, end)
