"""Who is on call, as a calendar that others can subscribe to (RFC 5545)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from icalendar import Event

from config import calendars
from config.zones import zone_of
from escalation.calendars.facts import PEOPLE
from escalation.schedules.row import Duty
from notifications.messages.compiled import clean_title

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
#: How much of the past and of the future a calendar shows.
PAST: Final = timedelta(days=14)
FUTURE: Final = timedelta(days=92)


def calendar_of(
    *,
    schedule_id: UUID,
    name: str,
    time_zone: str,
    row: Iterable[Duty],
    names: Mapping[UUID, str],
    now: datetime,
) -> bytes:
    """Return a calendar with an event for each entry of its final row. Pure.

    Times are in UTC, which every program shows by its own clock. A turn's UID stays the same from one
    reading to the next, so that an event is changed and not doubled. Each counts as revised now: what one
    says depends on accounts too, which may be gone, and a program passes over what is older than what it has.
    """
    calendar = calendars.feed(name=clean_title(f"On call: {name}"), prodid="-//Tocsin//On call//EN")
    for duty in row:
        event = Event()
        event.add("uid", f"{schedule_id}-{int(duty.starts_at.timestamp())}@tocsin")
        event.add("dtstamp", now)
        event.add("dtstart", duty.starts_at)
        event.add("dtend", duty.ends_at)
        stands_in = " (stands in)" if duty.override else ""
        people = ", ".join(names.get(user_id, "somebody") for user_id in duty.user_ids)
        event.add("summary", clean_title(f"{name}: {people}{stands_in}"))
        # By this, another schedule here has the same people on call; an address would be told to everybody
        # who subscribes. An invitation (ATTENDEE) is no part of a calendar of one's own (3.8.4.1).
        event.add(PEOPLE, ",".join(str(user_id) for user_id in duty.user_ids))
        # Being on call takes up nobody's time in a calendar.
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return calendars.written(calendar, zone=zone_of(time_zone), now=now)
