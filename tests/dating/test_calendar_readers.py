"""Invitations and people's own calendars as JavaScript's reader has them: the same as Python's."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dating.evening.calendar_files import Invitation, feed_with, file_of
from tests.calendars import assert_valid
from tests.servers import ical_js

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
#: A day before the clocks go forward in Paris, and a day after.
EVENINGS = [datetime(2026, 3, 28, 18, tzinfo=UTC), datetime(2026, 3, 30, 18, tzinfo=UTC)]
PARTS = {"REQUEST": ("CONFIRMED", "ACCEPTED"), "CANCEL": None, "PUBLISH": ("TENTATIVE", "NEEDS-ACTION")}


def invitation(starts_at: datetime, **fields: Any) -> Invitation:
    return Invitation(
        **{
            "uid": f"{starts_at:%d}@tocsin.example.com",
            "sequence": 3,
            "title": "Speed dating; a title that is folded, “since” it is longer than a line, · très long",
            "starts_at": starts_at,
            "ends_at": starts_at + timedelta(hours=7),
            "url": "https://tocsin.example.com/dating/e1/",
            "attendee": "ana@example.com",
            "attendee_name": "Ana; the first",
            "part": PARTS["REQUEST"],
            **fields,
        }
    )


def assert_same(found: dict[str, Any], event: Any) -> None:
    """Hold what ical.js found of an event against what Python's reader did."""
    times = [datetime.fromisoformat(found[name]) for name in ("starts_at", "ends_at", "stamped_at")]
    assert times == [event.start, event.end, event["DTSTAMP"].dt]
    for name in ("uid", "summary", "status", "sequence"):
        assert str(found[name]) == str(event[name.upper()]), name


@pytest.mark.slow
@pytest.mark.parametrize("starts_at", EVENINGS)
@pytest.mark.parametrize("method", PARTS)
def test_what_a_mail_carries(method: str, starts_at: datetime) -> None:
    ical_js.needed()
    fields = {"attendee": ""} if method == "PUBLISH" else {}
    asked = invitation(starts_at, part=PARTS[method], **fields)
    content = file_of(asked, zone=ZoneInfo("Europe/Paris"), now=NOW)
    (event,) = assert_valid(content, method=method)
    found = ical_js.read(content)
    assert found["method"] == method
    (read,) = found["events"]
    assert_same(read, event)
    assert read["organizer"] == str(event["ORGANIZER"])
    assert read["attendees"] == ([] if method == "PUBLISH" else ["mailto:ana@example.com"])
    assert datetime.fromisoformat(read["starts_at"]) == starts_at


def test_somebodys_own_calendar() -> None:
    ical_js.needed()
    content = feed_with([invitation(each) for each in EVENINGS], zone=ZoneInfo("Europe/Paris"), now=NOW)
    events = assert_valid(content)
    found = ical_js.read(content)
    assert found["method"] is None
    for read, event in zip(found["events"], events, strict=True):
        assert_same(read, event)
        assert (read["organizer"], read["attendees"]) == (None, [])
