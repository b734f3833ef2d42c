"""What RFC 5545 and RFC 5546 ask of a calendar file, as a strict reader would hold it against them."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import icalendar

#: How often a property may be in an event, by what the file is for (RFC 5545, 3.6.1; RFC 5546, 3.2).
ONCE = {"UID": (1, 1), "DTSTAMP": (1, 1), "DTSTART": (1, 1), "SUMMARY": (0, 1), "STATUS": (0, 1)}
METHODS: dict[str, dict[str, tuple[int, float]]] = {
    "": {
        "ORGANIZER": (0, 0),
        "ATTENDEE": (0, 0),
    },  # a calendar of one's own invites nobody (3.8.4.1, 3.8.4.3)
    "PUBLISH": {"ORGANIZER": (1, 1), "ATTENDEE": (0, 0), "SUMMARY": (1, 1)},
    "REQUEST": {"ORGANIZER": (1, 1), "ATTENDEE": (1, float("inf")), "SUMMARY": (1, 1), "SEQUENCE": (1, 1)},
    "CANCEL": {"ORGANIZER": (1, 1), "ATTENDEE": (0, float("inf")), "STATUS": (1, 1), "SEQUENCE": (1, 1)},
}
STATES = {"TENTATIVE", "CONFIRMED", "CANCELLED"}


def assert_valid(content: bytes | str, *, method: str = "") -> list[Any]:
    """Hold a file against the rules; returns its events."""
    text = content if isinstance(content, str) else content.decode()
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    calendar = icalendar.Calendar.from_ical(text)
    counts = Counter(
        name for name, _ in calendar.property_items(recursive=False) if name not in ("BEGIN", "END")
    )
    assert counts["PRODID"] == counts["VERSION"] == 1
    assert (counts["METHOD"], str(calendar.get("METHOD", ""))) == (bool(method), method)
    assert calendar.subcomponents, "a calendar has one component at least (3.6)"
    zones = {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")}
    assert len(zones) == len(calendar.walk("VTIMEZONE"))
    events = calendar.walk("VEVENT")
    for event in events:
        _assert_valid_event(event, METHODS[method], zones)
    uids = [str(event["UID"]) for event in events]
    assert len(uids) == len(set(uids))
    assert len(events) == 1 or not method, "iTIP is about one event"
    return list(events)


def _assert_valid_event(event: Any, rules: dict[str, tuple[int, float]], zones: set[str]) -> None:
    assert not event.errors
    names = Counter(name for name, _ in event.property_items(recursive=False))
    for name, (least, most) in (ONCE | rules).items():
        assert least <= names[name] <= most, f"{name} {names[name]} times"
    assert not ("DTEND" in event and "DURATION" in event)
    assert event.end > event.start
    assert event["DTSTAMP"].dt.utcoffset() == timedelta(), "DTSTAMP is in UTC (3.8.7.2)"
    assert str(event.get("STATUS", "CONFIRMED")) in STATES
    for name in ("DTSTART", "DTEND"):
        at = event[name]
        assert isinstance(at.dt, datetime)
        assert at.dt.tzinfo is not None
        zone = at.params.get("TZID")
        assert zone is None or zone in zones, f"nothing says what {zone} is (3.2.19)"
    for name in ("ORGANIZER", "ATTENDEE"):
        for address in event.get(name, []) if isinstance(event.get(name), list) else [event.get(name)]:
            if address is not None:
                scheme, _, rest = str(address).partition(":")
                assert scheme.lower() == "mailto"
                assert rest.count("@") == 1, f"{name} has no address"
                assert all(rest.partition("@")[::2])
