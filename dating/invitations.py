"""Evenings in people's own calendars: invitations, their cancelling, and a calendar of all one's evenings."""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count
from yarl import URL

from accounts.models import User
from accounts.names import cleaned
from dating.evening.calendar_files import Invitation, feed_with, file_of
from dating.evening.timeline import length_of, most_rounds
from dating.links import page_url
from dating.models import Registration
from notifications.web.page import time_zone_of

#: For how long a calendar shows what is over.
FEED_KEEPS: Final = timedelta(days=60)
#: Addresses at which no mail arrives (RFC 6761), as those have whom the bot alone knows.
_NOWHERE: Final = ".invalid"

_STATES: Final = Registration.State
#: What an invitation says of somebody's part; of all other states it is cancelled.
_PARTS: Final = {
    _STATES.REGISTERED: ("TENTATIVE", "TENTATIVE"),
    _STATES.WAITING: ("TENTATIVE", "TENTATIVE"),
    _STATES.CONFIRMED: ("CONFIRMED", "ACCEPTED"),
}


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
    invitations = [invitation_of(part, rounds=part.rounds) for part in parts]
    return feed_with(invitations, zone=time_zone_of(user), now=now)


def invitation_of(registration: Registration, *, rounds: int | None = None) -> Invitation:
    """Return somebody's part as their calendar has it; without ``rounds`` those of the event are counted."""
    event, user = registration.event, registration.user
    rounds = event.rounds.count() if rounds is None else rounds
    return Invitation(
        uid=f"{event.pk}@{event.uid_host or URL(settings.PUBLIC_URL).host}",
        sequence=sequence_of(registration),
        title=event.title,
        starts_at=event.starts_at,
        ends_at=event.starts_at + length_of(event, rounds or most_rounds(event)),
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
