"""Files for people's calendars: an evening as one entry, its invitation and its cancelling.

Formats: iCalendar (RFC 5545) and iTIP (RFC 5546). The one thing that a calendar knows an evening again by is
its UID, which never changes; of two files with it, the one with the higher SEQUENCE counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from icalendar import Calendar, vCalAddress, vText
from icalendar import Event as Entry

from config import calendars
from notifications.messages.compiled import clean_title

CONTENT_TYPE: Final = "text/calendar; charset=utf-8"
_YEAR: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Invitation:
    """One evening as one person's calendar has it. ``part`` is their part in it, None if they have none."""

    uid: str
    sequence: int
    title: str
    starts_at: datetime
    ends_at: datetime
    url: str
    attendee: str
    attendee_name: str
    part: tuple[str, str] | None

    @property
    def method(self) -> str:
        """What the file is for (RFC 5546): a request asks somebody, so it needs to say whom."""
        if self.part is None:
            return "CANCEL"
        return "REQUEST" if self.attendee else "PUBLISH"


def file_of(invitation: Invitation, *, zone: ZoneInfo, now: datetime) -> str:
    """Return an iTIP file, with times by the given zone's clocks, and the zone's rules beside them."""
    calendar = Calendar()
    calendar.add("prodid", _prodid())
    calendar.add("version", "2.0")
    calendar.add("method", invitation.method)
    entry = _entry(invitation, zone, now)
    entry.add("organizer", _address(parseaddr(settings.MAIL_FROM)[1], settings.PRODUCT_NAME))
    if invitation.attendee:
        attendee = _address(invitation.attendee, invitation.attendee_name)
        attendee.params["PARTSTAT"] = vText(invitation.part[1] if invitation.part else "DECLINED")
        # Answers would come by mail, to nobody: the page is where one confirms and cancels.
        attendee.params["RSVP"] = vText("FALSE")
        entry.add("attendee", attendee, encode=False)
    calendar.add_component(entry)
    _add_zones(calendar, [invitation])
    return calendar.to_ical().decode()


def feed_with(invitations: Sequence[Invitation], *, zone: ZoneInfo, now: datetime) -> str:
    """Return somebody's own calendar. It invites nobody, so it names neither organiser nor attendee."""
    calendar = calendars.feed(name=settings.PRODUCT_NAME, prodid=_prodid())
    for invitation in invitations:
        calendar.add_component(_entry(invitation, zone, now))
    _add_zones(calendar, invitations)
    return calendars.written(calendar, zone=zone, now=now).decode()


def _prodid() -> str:
    return f"-//{settings.PRODUCT_NAME}//dating//EN"


def _add_zones(calendar: Calendar, invitations: Sequence[Invitation]) -> None:
    """Add of the zone's rules only those that matter here: all of them would be the most of the file."""
    if invitations:
        first = min(invitation.starts_at for invitation in invitations) - _YEAR
        last = max(invitation.ends_at for invitation in invitations) + _YEAR
        calendar.add_missing_timezones(first_date=first.date(), last_date=last.date())


def _entry(invitation: Invitation, zone: ZoneInfo, now: datetime) -> Entry:
    entry = Entry()
    entry.add("uid", invitation.uid)
    entry.add("sequence", invitation.sequence)
    entry.add("dtstamp", now)
    entry.add("dtstart", invitation.starts_at.astimezone(zone))
    entry.add("dtend", invitation.ends_at.astimezone(zone))
    entry.add("summary", clean_title(invitation.title))
    entry.add("status", invitation.part[0] if invitation.part else "CANCELLED")
    entry.add("url", invitation.url)
    entry.add("location", invitation.url)
    return entry


def _address(email: str, name: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{email}")
    if printable := "".join(character for character in name if character.isprintable()):
        address.params["CN"] = vText(printable)
    return address
