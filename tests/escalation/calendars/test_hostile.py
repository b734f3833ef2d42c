"""Calendar files that mean harm: each is refused, or read, within bounded time, and harms nobody else."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from escalation.calendars import apart
from escalation.calendars.apart import Unreadable, read_apart
from escalation.calendars.facts import UNREADABLE
from tests.escalation.calendars.conftest import vcalendar

BEGIN: Final = datetime(2026, 3, 1, tzinfo=UTC)
END: Final = BEGIN + timedelta(days=135)
ONCE: Final = "DTSTART:20260325T100000Z\nDTEND:20260325T110000Z\nSUMMARY:a@x.org"
OLD: Final = ONCE.replace("20260325", "16010101")
ZONE: Final = """BEGIN:VTIMEZONE\r\nTZID:Nowhere\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r
DTSTART:16010101T030000\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"""


def rule(text: str, event: str = ONCE) -> str:
    return f"{event}\nRRULE:FREQ={text}"


def many(line: str, count: int) -> str:
    return "\n".join([ONCE, *(line.format(number) for number in range(count))])


def outcome(content: str | bytes) -> str:
    """Why a file isn't read; "" if it is."""
    content = content.encode() if isinstance(content, str) else content
    try:
        read_apart(content, time_zone="UTC", begin=BEGIN, end=END)
    except Unreadable as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "it is no iCalendar file"),
        (b"\x00\xff" * 100_000, "it is no iCalendar file"),
        ("BEGIN:VCALENDAR\r\n", "it is no iCalendar file"),
        ("BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 9_000, "it is no iCalendar file"),
        ("BEGIN:VEVENT\r\nEND:VEVENT\r\n", "it is no iCalendar file"),
        (vcalendar(*[ONCE] * 100_000), "it has more than 10000 events"),
        (vcalendar(*[rule("DAILY")] * 60), "it has more than 5000 shifts within the time that is read"),
        (vcalendar(*[ONCE] * 51), "it has more than 50 people on call at once"),
        (
            vcalendar(f"{ONCE} " + " ".join(f"b{number}@x.org" for number in range(60))),
            "it has more than 50 people on call at once",
        ),
        (vcalendar(rule("DAILY", ONCE.replace("DTEND:2026", "DTEND:2027"))), "it has more than 50 people"),
    ],
)
def test_what_is_no_calendar_or_too_large_a_one_is_refused(content: str | bytes, error: str) -> None:
    assert outcome(content).startswith(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        vcalendar(rule("HOURLY", OLD), *[rule("DAILY", OLD)] * 50),
        vcalendar(*[rule("DAILY;BYMONTH=2;BYMONTHDAY=30")] * 20),
    ],
)
def test_a_file_that_takes_long_is_given_up(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "CPU_S", 1)
    began = time.process_time()
    assert outcome(content) == "it takes too long to read"
    assert time.process_time() - began < 0.5, "none of it was spent here"


@pytest.mark.slow
def test_a_file_that_takes_much_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "MEMORY_BYTES", 56 << 20)
    content = vcalendar(many("EXDATE:" + ",".join(["20260325T100000Z"] * 1_000), 200))
    assert outcome(content) == "it can't be read within the memory that there is for it"


@pytest.mark.slow
@pytest.mark.parametrize(
    "event",
    [
        rule("DAILY;INTERVAL=0"),
        rule("DAILY;COUNT=99999999999999999999"),
        many("ATTENDEE:mailto:a{}@x.org", 10_000),
        "DTSTART:00010101T000000Z\nDTEND:99991231T000000Z\nSUMMARY:a@x.org",
        "BEGIN:VEVENT\n" * 1_000 + "END:VEVENT\n" * 1_000,
    ],
)
def test_one_event_that_means_harm_costs_the_others_nothing(event: str) -> None:
    content = vcalendar(event, ONCE).encode()
    found = read_apart(content, time_zone="UTC", begin=BEGIN, end=END)
    assert [each.emails for each in found.happenings] == [("a@x.org",)]
    assert [each.reason for each in found.problems] == [UNREADABLE]


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        vcalendar(f"{ONCE} {'x' * 4_000_000}"),
        vcalendar(ONCE + " a@x.org" * 400_000),
        vcalendar(f"{ONCE}\nDESCRIPTION:{'ab@' * 1_000_000}"),
        vcalendar(many("RRULE:FREQ=DAILY;COUNT=1", 5_000)),
        vcalendar(many("RDATE:" + ",".join(["20260325T100000Z"] * 1_000), 100)),
        vcalendar(ONCE).replace("BEGIN:VEVENT", ZONE).replace(":20260325", ";TZID=Nowhere:20260325"),
    ],
)
def test_what_is_only_long_is_read(content: str) -> None:
    found = read_apart(content.encode(), time_zone="UTC", begin=BEGIN, end=END)
    (happening,) = found.happenings
    assert happening.emails == ("a@x.org",)
    assert len(happening.summary) <= 100


def test_the_reader_has_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever gets to run there finds no key to the database: it has no environment at all.
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # with which Python doesn't begin
    assert outcome(vcalendar(ONCE)) == ""
