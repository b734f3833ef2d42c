"""Rules of evenings: every Friday at eight, whatever the clocks do."""

from datetime import UTC, date, datetime, time

import pytest

from dating.recurrence import AT_MOST, BadRule, occurrences, rule_check

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
        ("", "is expected"),
        ("every Friday", "is expected"),
        ("FREQ=WEEKLY;FREQ=DAILY", "each once"),
        ("FREQ=HOURLY", "FREQ can't be HOURLY"),
        ("BYDAY=FR", "FREQ is missing"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY can't be XX"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL can't be 0"),
        ("FREQ=DAILY;BYHOUR=3", "is expected"),
        ("FREQ=DAILY;UNTIL=20261399", "UNTIL can't be 20261399"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day"),
        ("FREQ=DAILY\nEXDATE:20240101", "FREQ can't be"),
        ("FREQ=WEEKLY;BYDAY=FR;BYSETPOS=0", "can't be understood"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_reason(rule, because):
    with pytest.raises(BadRule, match=because):
        rule_check(rule, starts_on=date(2026, 1, 1))


def test_a_rule_may_begin_on_the_last_day_there_is():
    rule_check("FREQ=DAILY", starts_on=date.max)
