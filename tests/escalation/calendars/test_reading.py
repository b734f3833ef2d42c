"""What is read of calendar files: hand-worked examples, and made-up rules against every minute of them."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import icalendar
import pytest
import recurring_ical_events
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.processes import REPOSITORY
from escalation.calendars.facts import NAMES_NOBODY, TOO_OFTEN, UNREADABLE, Happening, Problem
from escalation.calendars.reading import read
from tests.escalation.calendars.conftest import vcalendar

SAMPLES: Final = REPOSITORY / "fixtures" / "calendars"
MINUTE: Final = timedelta(minutes=1)
BEGIN: Final = datetime(2026, 3, 24, tzinfo=UTC)
END: Final = datetime(2026, 4, 1, tzinfo=UTC)


def happenings(
    content: str | bytes, *, begin: datetime = BEGIN, end: datetime = END, time_zone: str = "UTC"
) -> list[Happening]:
    content = content.encode() if isinstance(content, str) else content
    found = read(content, time_zone=time_zone, begin=begin, end=end)
    assert found.problems == []
    return found.happenings


def lines(found: list[Happening]) -> list[str]:
    """Each as a line, in UTC: from until, the priority where there is one, and whom it names."""
    return [
        f"{each.starts_at:%d %H:%M}-{each.ends_at:%d %H:%M} {f'L{each.priority} ' * bool(each.priority)}"
        f"{' '.join(email.partition('@')[0] for email in each.emails)}"
        for each in found
    ]


def test_a_calendar_as_google_writes_it() -> None:
    content = (SAMPLES / "google.ics").read_bytes()
    # Clocks go forward on the 29th. On the 25th there is nobody, on the 27th Bo from ten on.
    assert lines(happenings(content)) == [
        "24 07:00-24 17:00 ana",
        "26 07:00-26 17:00 ana",
        "27 09:00-27 17:00 bo",
        "27 23:00-29 22:00 L1 bo",
        "30 06:00-30 16:00 ana",
        "30 16:00-30 20:00 cleo ana",
        "31 06:00-31 16:00 ana",
    ]


def test_a_calendar_as_outlook_writes_it() -> None:
    content = (SAMPLES / "outlook.ics").read_bytes()
    # Every other Sunday, the second by summer time. Whole days, and times without a zone, are the layer's.
    expected = ["29 20:00-30 04:00 ana", "29 22:00-30 22:00 bo", "31 06:00-31 07:30 bo"]
    assert lines(happenings(content, time_zone="Europe/Berlin")) == expected
    assert lines(happenings(content, begin=BEGIN - timedelta(days=20), time_zone="Asia/Tokyo")) == [
        "15 21:00-16 05:00 ana", "29 15:00-30 15:00 bo", "29 20:00-30 04:00 ana", "30 23:00-31 00:30 bo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:[L3]a@x.org, B@x.org", "L3 a b"),
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:a@x.org [L3]", "a"),
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:x\nATTENDEE:mailto:a@x.org", "a"),
        (
            "DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:b@x.org\nATTENDEE:mailto:a@x.org"
            "\nATTENDEE:mailto:b@x.org\nATTENDEE;CUTYPE=ROOM:mailto:room@x.org",
            "a b",
        ),
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:x\nATTENDEE;EMAIL=a@x.org:urn:x:1", "a"),
    ],
)
def test_whom_an_event_names(event: str, expected: str) -> None:
    (line,) = lines(happenings(vcalendar(event)))
    assert line == f"25 10:00-25 11:00 {expected}"


def test_who_organises_it_is_not_on_call() -> None:
    event = "DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:Shift\nORGANIZER:mailto:a@x.org"
    found = read(vcalendar(event).encode(), time_zone="UTC", begin=BEGIN, end=END)
    assert found.problems == [Problem(NAMES_NOBODY, "Shift")]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("DTSTART:20260325T100000Z\nDTEND:20260325T100030Z\nRRULE:FREQ=SECONDLY", TOO_OFTEN),
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nRRULE:FREQ=MINUTELY;INTERVAL=90", TOO_OFTEN),
        (
            "DTSTART:20260325T100000Z\nDTEND:20260325T100100Z\nRRULE:FREQ=DAILY;BYMINUTE="
            + ",".join(map(str, range(60))),
            TOO_OFTEN,
        ),
        ("DTEND:20260325T100000Z", UNREADABLE),
        ("DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nRRULE:FREQ=SOMETIMES", UNREADABLE),
        ("DTSTART:later\nDTEND:20260325T110000Z", UNREADABLE),
        ("DTSTART:20260325T100000Z\nDURATION:P99999999D", UNREADABLE),
    ],
)
def test_an_event_that_cant_be_read_is_named_and_the_others_count(event: str, reason: str) -> None:
    good = "DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:a@x.org"
    content = vcalendar(f"{event}\nSUMMARY:b@x.org", good).encode()
    found = read(content, time_zone="UTC", begin=BEGIN, end=END)
    assert [each.emails for each in found.happenings] == [("a@x.org",)]
    assert found.problems == [Problem(reason, "b@x.org")]


def test_times_without_a_zone_count_to_the_edges_of_what_is_read() -> None:
    evening = "DTSTART:20260323T200000\nDTEND:20260323T230000\nSUMMARY:a@x.org"
    found = happenings(vcalendar(evening), time_zone="America/Los_Angeles")
    assert lines(found) == ["24 03:00-24 06:00 a"]
    assert happenings(vcalendar(evening), time_zone="Asia/Tokyo") == []


def test_a_zone_that_doesnt_exist_is_the_layers() -> None:
    event = "DTSTART;VALUE=DATE:20260325\nSUMMARY:a@x.org"
    found = happenings(vcalendar(event, zone="Europe/Lutetia"), time_zone="Europe/Paris")
    assert lines(found) == ["24 23:00-25 23:00 a"]


# --- Made-up rules, minute by minute ------------------------------------------------------------------------

#: A day on which the clock of each zone is changed, or near one.
CHANGES: Final = {
    "Europe/Paris": datetime(2026, 3, 29),
    "America/New_York": datetime(2026, 11, 1),
    "Australia/Lord_Howe": datetime(2026, 4, 5),
    "Africa/Casablanca": datetime(2025, 4, 6),
    "Asia/Tehran": datetime(2022, 3, 22),
    "Asia/Kathmandu": datetime(2026, 5, 1),
}
DAYS: Final = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, datetime]:
    """A calendar file, and the day in the middle of what is read."""
    zone = draw(st.sampled_from(list(CHANGES)))
    events = [draw(_events(zone, number)) for number in range(draw(st.integers(1, 3)))]
    return vcalendar(*events), CHANGES[zone]


@st.composite
def _events(draw: st.DrawFn, zone: str, number: int) -> str:
    hours, minutes = draw(st.integers(0, 23)), draw(st.sampled_from([0, 15, 30]))
    begins = CHANGES[zone] + timedelta(days=draw(st.integers(-20, 3)), hours=hours, minutes=minutes)
    length = timedelta(minutes=draw(st.sampled_from([30, 60, 90, 480, 720, 1440, 2000])))
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "HOURLY", None]))
    rule = []
    if frequency:
        least = 6 if frequency == "HOURLY" else 1
        rule = [f"RRULE:FREQ={frequency};INTERVAL={draw(st.integers(least, least + 3))}"]
        if frequency == "WEEKLY" and draw(st.booleans()):
            rule[0] += ";BYDAY=" + ",".join(draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)))
        match draw(st.sampled_from(["", "COUNT", "UNTIL"])):
            case "COUNT":
                rule[0] += f";COUNT={draw(st.integers(1, 30))}"
            case "UNTIL":
                until = CHANGES[zone] + timedelta(days=draw(st.integers(-3, 5)))
                rule[0] += f";UNTIL={until:%Y%m%dT%H%M%SZ}"
        if draw(st.booleans()):
            without = begins + timedelta(days=draw(st.integers(0, 30)))
            rule.append(f"EXDATE;TZID={zone}:{without:%Y%m%dT%H%M%S}")
    own = [
        f"UID:{number}",
        f"DTSTART;TZID={zone}:{begins:%Y%m%dT%H%M%S}",
        f"DTEND;TZID={zone}:{begins + length:%Y%m%dT%H%M%S}",
        f"SUMMARY:p{number}@x.org",
        *rule,
    ]
    return "\n".join(own)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files())
def test_every_minute_is_as_the_library_has_it_when_asked_about_that_minute(
    made: tuple[str, datetime],
) -> None:
    content, day = made
    begin = day.replace(tzinfo=UTC) - timedelta(hours=30)
    end = begin + timedelta(hours=60)
    found = read(content.encode(), time_zone="UTC", begin=begin, end=end)
    on_call: defaultdict[datetime, set[str]] = defaultdict(set)
    for each in found.happenings:
        at = max(begin, each.starts_at)
        while at < min(end, each.ends_at):
            on_call[at].add(each.emails[0])
            at += MINUTE
    query = recurring_ical_events.of(icalendar.Calendar.from_ical(content))
    # Each quarter of an hour, and a minute beside it: events change at no other times.
    for quarter in range(60 * 4):
        for beside in (-1, 0, 1):
            at = begin + timedelta(minutes=15 * quarter + beside)
            if begin <= at < end:
                assert on_call[at] == _asked(query, at), at


def _asked(query: Any, at: datetime) -> set[str]:
    # Asked for an instant alone, the library leaves out events that an hour given twice makes longer.
    near = query.between(at - timedelta(hours=3), at + timedelta(hours=3))
    there = (each for each in near if each.start <= at < each.end)
    return {str(each["SUMMARY"]) for each in there}
