"""Evenings in people's own calendars: invitations and their cancelling, and a calendar of all of somebody's.

Formats: iCalendar (RFC 5545) and iTIP (RFC 5546). The one thing that a calendar knows an evening again by is
its UID, which never changes; of two files with it, the one with the higher SEQUENCE counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.db.models import Count
from icalendar import Calendar, vCalAddress, vText
from icalendar import Event as Entry
from yarl import URL

from accounts.models import User
from accounts.names import cleaned
from config import calendars
from dating.life.timeline import length_of
from dating.models import Event, Registration
from notifications.messages.compiled import clean_title
from notifications.web.page import time_zone_of

CONTENT_TYPE: Final = "text/calendar; charset=utf-8"
#: For how long a calendar shows what is over.
FEED_KEEPS: Final = timedelta(days=60)
#: Addresses at which no mail arrives (RFC 6761), as those have whom the bot alone knows.
_NOWHERE: Final = ".invalid"
_YEAR: Final = timedelta(days=366)

_INVITATION: Final = "dating.invitation"
_CALENDAR: Final = "dating.calendar"
_STATES: Final = Registration.State
#: What an invitation says of somebody's part; of all other states it is cancelled.
_PARTS: Final = {
    _STATES.REGISTERED: ("TENTATIVE", "TENTATIVE"),
    _STATES.WAITING: ("TENTATIVE", "TENTATIVE"),
    _STATES.CONFIRMED: ("CONFIRMED", "ACCEPTED"),
}


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


# --- Files --------------------------------------------------------------------------------------------


def ics_of(registration: Registration, *, now: datetime, rounds: int | None = None) -> str:
    """Return the file for somebody's part as it is now: an invitation, or its cancelling.

    A mail that has it as ``ics`` in its notification's data carries it. ``rounds`` is as below.
    """
    return file_of(invitation_of(registration, rounds=rounds), zone=time_zone_of(registration.user), now=now)


def feed_of(user: User, *, now: datetime) -> str:
    """Return the calendar of all that somebody takes part in, for programs that ask for it now and then."""
    parts = Registration.objects.filter(
        user=user, state__in=_PARTS, event__starts_at__gte=now - FEED_KEEPS
    ).select_related("event", "user")
    parts = parts.annotate(rounds=Count("event__rounds")).order_by("event__starts_at", "id")
    invitations = [invitation_of(each, rounds=each.rounds) for each in parts]
    return feed_with(invitations, zone=time_zone_of(user), now=now)


def invitation_of(registration: Registration, *, rounds: int | None = None) -> Invitation:
    """Return somebody's part as their calendar has it.

    Args:
        rounds: how many the event has, if its groups are made; None: ask the database.
    """
    event, user = registration.event, registration.user
    rounds = event.rounds.count() if rounds is None else rounds
    return Invitation(
        uid=f"{event.pk}@{event.uid_host or URL(settings.PUBLIC_URL).host}",
        sequence=sequence_of(registration),
        title=event.title,
        starts_at=event.starts_at,
        ends_at=event.starts_at + length_of(event, rounds or _most_rounds(event)),
        url=page_url(event),
        attendee="" if user.email.endswith(_NOWHERE) else user.email,
        attendee_name=cleaned(user.first_name),
        part=_PARTS.get(_STATES(registration.state)),
    )


def sequence_of(registration: Registration) -> int:
    """Return the number of somebody's invitation: it grows with each change of their part, or of the event.

    Of two files of one UID calendars take the one with the higher (RFC 5545, 3.8.7.4).
    """
    return registration.sequence + registration.event.version


def longest(event: Event) -> timedelta:
    """Return how long an evening lasts at most."""
    return length_of(event, _most_rounds(event))


def _most_rounds(event: Event) -> int:
    """Return how many rounds there are at most: nobody knows how many come until the groups are made."""
    people = min(event.users_limit, event.places or event.users_limit)
    # Of two pools the one may have a single person, whom all others meet in turn.
    rounds = people - 1 if event.two_pools else people - 1 + people % 2
    return min(rounds, event.max_rounds or rounds)


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
    for each in invitations:
        calendar.add_component(_entry(each, zone, now))
    _add_zones(calendar, invitations)
    return calendars.written(calendar, zone=zone, now=now).decode()


def _prodid() -> str:
    return f"-//{settings.PRODUCT_NAME}//dating//EN"


def _add_zones(calendar: Calendar, invitations: Sequence[Invitation]) -> None:
    """Add of the zone's rules only those that matter here: all of them would be the most of the file."""
    if invitations:
        first = min(each.starts_at for each in invitations) - _YEAR
        last = max(each.ends_at for each in invitations) + _YEAR
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
    if printable := "".join(each for each in name if each.isprintable()):
        address.params["CN"] = vText(printable)
    return address


# --- Links: signed, and without an end but by renewing them, since calendars keep them for years ---------


def page_url(event: Event) -> str:
    return f"{_base()}/dating/{event.pk}/"


def invitation_url(registration: Registration) -> str:
    """Return where somebody's invitation is, as it is when they look, without logging in."""
    return f"{_base()}/dating/invitations/{_token(_INVITATION, registration.pk, registration.user)}.ics"


def calendar_url(user: User) -> str:
    """Return where somebody's calendar is, for a program that can't log in."""
    return f"{_base()}/dating/calendars/{_token(_CALENDAR, user.pk, user)}.ics"


def invited(token: str) -> Registration | None:
    """Return whose invitation a link leads to; None where they are locked out, or have renewed it."""
    meant = _meant(_INVITATION, token)
    if meant is None:
        return None
    theirs = Registration.objects.filter(pk=meant[0], user__is_active=True, user__links_version=meant[1])
    return theirs.select_related("event", "user").first()


def subscriber(token: str) -> User | None:
    """Return whose calendar a link leads to; None as above."""
    meant = _meant(_CALENDAR, token)
    if meant is None:
        return None
    return User.objects.filter(pk=meant[0], is_active=True, links_version=meant[1]).first()


def _token(purpose: str, key: UUID, user: User) -> str:
    # Links of the first version say none.
    version = f"-{user.links_version}" if user.links_version else ""
    return signing.Signer(salt=purpose).sign(f"{key.hex}{version}")


def _meant(purpose: str, token: str) -> tuple[UUID, int] | None:
    """Return what a link is of, and of which version of the person's links it is."""
    try:
        key, _, version = signing.Signer(salt=purpose).unsign(token).partition("-")
        return UUID(key), int(version or 0)
    except (signing.BadSignature, ValueError):
        return None


def _base() -> str:
    return str(settings.PUBLIC_URL).rstrip("/")
