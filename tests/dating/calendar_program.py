"""A calendar program, as far as RFC 5546 goes: what somebody sees, whose mails bring them these files."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from icalendar import Calendar

from accounts.models import User
from dating.models import Event, Registration
from notifications.models import Delivery

STATUS = {"registered": "TENTATIVE", "waiting": "TENTATIVE", "confirmed": "CONFIRMED"}


@dataclass(frozen=True)
class Entry:
    """What the latest file says of an event."""

    sequence: int
    stamped_at: datetime
    status: str
    title: str
    starts_at: datetime


class CalendarProgram:
    """It knows an event by its UID; of two files the later one counts, whichever comes first (2.1.5)."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        for each in files:
            self.take(each)

    def take(self, ics: str) -> None:
        calendar = Calendar.from_ical(ics)
        (found,) = calendar.events
        entry = _entry(found)
        # A CANCEL without that status, or a REQUEST with it, stays in calendars (3.2.2, 3.2.5).
        assert (str(calendar["METHOD"]) == "CANCEL") == (entry.status == "CANCELLED")
        known = self._entries.get(str(found["UID"]))
        if known is None or (entry.sequence, entry.stamped_at) > (known.sequence, known.stamped_at):
            self._entries[str(found["UID"])] = entry

    @property
    def shown(self) -> dict[str, tuple[str, datetime, str]]:
        """By the event's id what is not cancelled: title, start and status."""
        return {
            uid.partition("@")[0]: (each.title, each.starts_at, each.status)
            for uid, each in self._entries.items()
            if each.status != "CANCELLED"
        }


def _entry(found: Any) -> Entry:
    return Entry(
        sequence=int(found["SEQUENCE"]),
        stamped_at=found.DTSTAMP,
        status=str(found["STATUS"]),
        title=str(found["SUMMARY"]),
        starts_at=found.start,
    )


def sent_to(users: Iterable[User]) -> list[tuple[UUID, UUID, str]]:
    """Return the files that people are sent, the first one first: each with its delivery and its person."""
    theirs = Delivery.objects.filter(user__in=users, channel="inbox", notification__data__has_key="ics")
    kept = theirs.exclude(status="cancelled").order_by("notification__created_at", "id")
    return list(kept.values_list("pk", "user_id", "notification__data__ics"))


def files_of(user: User) -> list[str]:
    return [ics for _, _, ics in sent_to([user])]


def shown_to(user: User) -> dict[str, tuple[str, datetime, str]]:
    """Return what their calendar shows, in whatever order the files come."""
    files = files_of(user)
    shown = CalendarProgram(files).shown
    assert CalendarProgram(reversed(files)).shown == shown
    return shown


def true_of(user: User) -> dict[str, tuple[str, datetime, str]]:
    """Return what their calendar should show."""
    return truth([user])[user.pk]


def truth(users: Iterable[User]) -> dict[UUID, dict[str, tuple[str, datetime, str]]]:
    found: dict[UUID, dict[str, tuple[str, datetime, str]]] = {each.pk: {} for each in users}
    theirs = Registration.objects.filter(user__in=list(found), state__in=STATUS).select_related("event")
    for each in theirs:
        shown = each.event.title, each.event.starts_at, STATUS[each.state]
        found[each.user_id][str(each.event_id)] = shown
    return found


def statuses(event: Event, *people: User) -> list[str | None]:
    """Return what the calendar of each says of an event; None: nothing, or not any more."""
    shown = (shown_to(each).get(str(event.pk)) for each in people)
    return [each[2] if each else None for each in shown]
