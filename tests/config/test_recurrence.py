"""Rules of evenings: every Friday at eight, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from config.recurrence import AT_MOST, BadRule, occurrences, rule_check

FRIDAYS = "FREQ=WEEKLY;BYDAY=FR"


def times(rule=FRIDAYS, *, after, until, at=time(20), zone="Europe/Paris", starts_on=date(2026, 1, 1)):
    found = occurrences(rule, starts_on=starts_on, at=at, time_zone=zone, after=utc(after), until=utc(until))
    return [each.strftime("%m-%d %H:%M") for each in found]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_friday_at_eight_is_at_eight_before_and_after_the_clocks_change():
    assert times(after="2026-03-20 12:00", until="2026-04-04") == [
        "03-20 19:00",
        "03-27 19:00",
        "04-03 18:00",
    ]
    assert times(after="2026-10-20", until="2026-11-01") == ["10-23 18:00", "10-30 19:00"]


def test_what_is_asked_for_begins_after_the_one_end_and_includes_the_other():
    assert times(after="2026-03-20 19:00", until="2026-03-27 19:00") == ["03-27 19:00"]
    assert times(after="2026-03-20 18:59", until="2026-03-27 18:59") == ["03-20 19:00"]


def test_a_time_that_the_clocks_skip_is_moved_on():
    night = {"at": time(2, 30), "after": "2026-03-28 12:00", "until": "2026-03-29 12:00"}
    assert times("FREQ=DAILY", **night) == ["03-29 01:30"], "half past two is half past three"


def test_of_a_time_that_comes_twice_the_first_is_taken():
    night = {"at": time(2, 30), "after": "2026-10-24 12:00", "until": "2026-10-25 12:00"}
    assert times("FREQ=DAILY", **night) == ["10-25 00:30"]


def test_a_friday_is_one_where_the_evening_is():
    week = {"at": time(0), "after": "2026-05-05 12:00", "until": "2026-05-10"}
    assert times(zone="Pacific/Kiritimati", **week) == ["05-07 10:00"], "14 hours ahead of UTC"
    assert times(zone="Pacific/Honolulu", **week) == ["05-08 10:00"], "10 hours behind it"


def test_nothing_comes_before_the_first_day_or_after_the_last():
    assert times(after="2026-01-01", until="2026-01-20", starts_on=date(2026, 1, 10)) == ["01-16 19:00"]
    ends = FRIDAYS + ";UNTIL=20260110T000000Z"
    assert times(ends, after="2025-12-01", until="2026-03-01") == ["01-02 19:00", "01-09 19:00"]


@pytest.mark.parametrize(
    ("until", "at", "zone", "last"),
    [
        ("20261129", time(20), "America/New_York", 29),
        ("20261130T045959Z", time(20), "America/New_York", 29),  # "until the 29th", as calendars write it
        ("20261130T010000Z", time(20), "America/New_York", 29),  # the very moment
        ("20261130T005959Z", time(20), "America/New_York", 28),
        ("20261129T230000Z", time(8), "Asia/Tokyo", 30),
        ("20261129T225959Z", time(8), "Asia/Tokyo", 29),
        ("20261129T200000", time(20), "America/New_York", 29),  # by the rule's own clocks
        ("20261129T195959", time(20), "America/New_York", 28),
    ],
)
def test_the_last_is_the_one_at_that_moment_or_before_it(until, at, zone, last):
    rule = f"FREQ=DAILY;UNTIL={until}"
    span = {"after": "2026-11-26", "until": "2026-12-24"}
    found = occurrences(
        rule,
        starts_on=date(2026, 11, 27),
        at=at,
        time_zone=zone,
        **{name: utc(each) for name, each in span.items()},
    )
    assert [each.astimezone(ZoneInfo(zone)).day for each in found] == list(range(27, last + 1))
    if until.endswith("Z"):  # others read only these for a time with a zone
        first = datetime.combine(date(2026, 11, 27), at, tzinfo=ZoneInfo(zone))
        assert found == [each.astimezone(UTC) for each in rrulestr(rule, dtstart=first)]


def test_rules_as_calendars_write_them_are_understood():
    span = {"after": "2026-02-01", "until": "2026-03-31"}
    assert times("RRULE:FREQ=MONTHLY;BYDAY=-1FR;", **span) == ["02-27 19:00", "03-27 19:00"]
    assert times("freq=monthly;bymonthday=13;byday=fr", **span) == ["02-13 19:00", "03-13 19:00"]
    every_second = times("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", **span)
    assert every_second == ["02-13 19:00", "02-27 19:00", "03-13 19:00", "03-27 19:00"]


def test_no_more_than_so_many_at_once():
    assert len(times("FREQ=DAILY", after="2026-01-01", until="2030-01-01")) == AT_MOST


@pytest.mark.parametrize(
    ("rule", "because"),
    [
        ("", "Expected"),
        ("every Friday", "Expected"),
        ("FREQ=WEEKLY;FREQ=DAILY", "each at most once"),
        ("FREQ=HOURLY", "FREQ can't be HOURLY"),
        ("BYDAY=FR", "FREQ is missing"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY can't be XX"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL can't be 0"),
        ("FREQ=DAILY;BYHOUR=3", "Expected"),
        ("FREQ=DAILY;UNTIL=20261399", "UNTIL can't be 20261399"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day"),
        ("FREQ=DAILY\nEXDATE:20240101", "FREQ can't be"),
        ("FREQ=WEEKLY;BYDAY=FR;BYSETPOS=0", "BYSETPOS can't be 0"),
        ("FREQ=YEARLY;BYDAY=99MO", "BYDAY can't be 99"),
        ("FREQ=YEARLY;BYDAY=0MO", "BYDAY can't be 0"),
        ("FREQ=MONTHLY;BYDAY=6FR", "BYDAY can't be 6"),
        ("FREQ=WEEKLY;BYDAY=5FR", "BYDAY can't be 5FR"),
        ("FREQ=DAILY;BYDAY=-1FR", "BYDAY can't be -1FR"),
        ("FREQ=WEEKLY;WKST=2MO", "WKST can't be 2MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY can't be 0"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY can't be -32"),
        ("FREQ=MONTHLY;BYMONTHDAY=１", "BYMONTHDAY can't be"),
        ("FREQ=WEEKLY;BYMONTHDAY=13", "can't go with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYMONTH=13", "BYMONTH can't be 13"),
        ("FREQ=DAILY;BYMONTH=0", "BYMONTH can't be 0"),
        ("FREQ=DAILY;BYMONTH=-1", "BYMONTH can't be -1"),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=367", "BYSETPOS can't be 367"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs"),
        ("FREQ=WEEKLY;BYDAY=", "BYDAY can't be empty"),
        ("FREQ=WEEKLY;BYDAY=FR,", "BYDAY can't be empty"),
        ("FREQ=DAILY;UNTIL=20261231T250000Z", "UNTIL can't be"),
        ("FREQ=DAILY;UNTIL=20251231", "no day"),
        ("FREQ=DAILY;UNTIL=20260101T185959Z", "no day"),  # a second before the first evening
        ("FREQ=DAILY;UNTIL=20260101T195959", "no day"),
        ("FREQ=DAILY;UNTIL=00000101T000000Z", "UNTIL can't be"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "no day"),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=2", "no day"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=FR", "no day"),  # each seventh day is a Thursday
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=53MO", "no day"),
        ("FREQ=YEARLY;INTERVAL=999;BYMONTH=2;BYMONTHDAY=29", "no day"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_once_with_the_reason(rule, because):
    began = perf_counter()
    with pytest.raises(BadRule, match=because):
        rule_check(rule, starts_on=date(2026, 1, 1), at=time(20), time_zone="Europe/Paris")
    assert perf_counter() - began < 0.5


def test_the_days_of_a_rule_that_no_day_fits_are_looked_for_no_longer_than_asked():
    began = perf_counter()
    assert times("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", after="2026-01-01", until="2026-02-01") == []
    assert perf_counter() - began < 0.5


def numbers(largest: int, *, signed: bool = True) -> st.SearchStrategy[list[int]]:
    one = st.integers(1, largest)
    return st.lists(one | one.map(lambda each: -each) if signed else one, max_size=3)


@st.composite
def rules(draw) -> str:
    """Rules that RFC 5545 allows; of weekdays with and without numbers, not both at once."""
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]))
    weekdays = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
    parts = {"BYMONTH": draw(numbers(12, signed=False))}
    if freq != "WEEKLY":
        parts["BYMONTHDAY"] = draw(numbers(31))
    largest = {"MONTHLY": 5, "YEARLY": 5 if parts["BYMONTH"] else 53}.get(freq)
    days = draw(st.lists(weekdays, max_size=3))
    if largest and draw(st.booleans()):
        days = [f"{draw(st.integers(1, largest)) * draw(st.sampled_from([1, -1]))}{day}" for day in days]
    parts["BYDAY"] = days
    if any(parts.values()):
        parts["BYSETPOS"] = draw(numbers(6))
    given = [f"{name}={','.join(map(str, values))}" for name, values in parts.items() if values]
    week = [f"WKST={draw(weekdays)}"] if draw(st.booleans()) else []
    return ";".join([f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 14))}", *given, *week])


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=60)
@given(rules(), st.dates(date(2000, 1, 1), date(2030, 12, 31)), st.integers(0, 2000))
def test_a_rule_has_the_days_that_another_reader_of_rfc_5545_finds(rule, starts_on, after):
    begin = datetime.combine(starts_on, time(), UTC) + timedelta(days=after)
    end = begin + timedelta(days=380)
    # Where no day fits the other reader searches up to the year 9999. Weekdays are the same in 7600 years.
    first = naive(begin) - timedelta(days=after)
    expected = rrulestr(rule, dtstart=later(first)).replace(until=later(naive(end)))
    found = occurrences(rule, starts_on=starts_on, at=time(), time_zone="UTC", after=begin, until=end)
    assert [later(naive(each)) for each in found] == [day for day in expected if day > later(naive(begin))]


def later(moment: datetime) -> datetime:
    return moment.replace(year=moment.year + 7600)


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def test_weekdays_with_and_without_numbers_go_together():
    span = {"after": "2026-02-01", "until": "2026-02-28"}
    assert times("FREQ=MONTHLY;BYDAY=1FR,MO", **span) == [
        "02-02 19:00", "02-06 19:00", "02-09 19:00", "02-16 19:00", "02-23 19:00",
    ]  # fmt: skip


def test_a_rule_may_begin_on_the_last_day_there_is():
    for rule in ("FREQ=DAILY", "FREQ=DAILY;UNTIL=99991231T235959", "FREQ=DAILY;UNTIL=99991231"):
        rule_check(rule, starts_on=date.max, at=time(20), time_zone="America/New_York")
