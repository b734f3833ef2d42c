"""Telling people what has become of their part in an event, with what their calendars need to know of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dating.invitations import ics_of, sequence_of
from dating.links import invitation_url
from dating.models import Event, Registration
from dating.services.telling import notice, overtaken_stop, tell, tell_each


def tell_with_invitation(registration: Registration, kind: str, now: datetime, **more: Any) -> None:
    """Tell somebody what has become of their registration, and their calendar with them."""
    tell_part(registration, kind, **_for_calendar(registration, now), **more)


def tell_part(
    registration: Registration, kind: str, *, expires_at: datetime | None = None, **more: Any
) -> None:
    """Tell somebody what has become of their registration; each time that it changes, once."""
    sequence = sequence_of(registration)
    tell(
        registration.event,
        kind,
        [registration.user_id],
        key=f"{registration.user_id}:{sequence}",
        expires_at=expires_at,
        registration_id=str(registration.pk),
        sequence=sequence,
        **more,
    )


def tell_parts(
    event: Event, kind: str, registrations: Iterable[Registration], now: datetime, **more: Any
) -> None:
    """Tell many at once what makes no sense later, each with the file for their own calendar.

    It is the last word on whether they take part: nothing that is held of that is told after it.
    Registrations come with their users, as they are now.
    """
    registrations = list(registrations)
    overtaken_stop(event, [registration.user_id for registration in registrations])
    notices, count = [], event.rounds.count()
    for registration in registrations:
        registration.event = event
        sequence, user = sequence_of(registration), registration.user
        own: dict[str, Any] = {"registration_id": str(registration.pk), "sequence": sequence}
        own |= _for_calendar(registration, now, rounds=count)
        notices.append(notice(event, user, kind, key=f"{user.pk}:{sequence}", **own, **more))
    tell_each(notices)


def _for_calendar(registration: Registration, now: datetime, *, rounds: int | None = None) -> dict[str, Any]:
    return {"ics": ics_of(registration, now=now, rounds=rounds), "invitation": invitation_url(registration)}
