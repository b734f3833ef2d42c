"""An event is moved to another time, or renamed: calendars take note, and whom it concerns is told."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from config.exceptions import Conflict
from dating.models import Event, Step
from dating.services.locking import event_hold
from dating.services.registrations import COMING, tell_with_invitation

#: In these it can be moved, since nothing has been planned by its time.
MOVABLE = (Step.OPEN, Step.CONFIRMING)


@transaction.atomic
def event_move(*, event: Event, starts_at: datetime, title: str, now: datetime) -> Event:
    """Give an event another time or title; everybody in it hears of another time. The same again: nothing.

    Who has confirmed stays confirmed; who can't come then cancels.

    Raises:
        Conflict: it is over, or is to be moved though its groups are made.
        ValidationError: by field: its registration would be closed already.
    """
    event = event_hold(event.pk)
    is_moved = event.starts_at != starts_at
    if not is_moved and event.title == title:
        return event
    if event.is_over or (is_moved and event.step not in MOVABLE):
        raise Conflict("It is too late to move this event.")
    event.starts_at, event.title, event.version = starts_at, title, event.version + 1
    if is_moved:
        if event.close_at <= now:
            raise ValidationError(
                {"starts_at": "Registration would be closed already: choose a later start."}
            )
        event.deadline_at = event.confirm_at if event.step == Step.OPEN else event.close_at
    event.save(update_fields=["starts_at", "title", "version", "deadline_at"])
    if is_moved:
        for registration in event.registrations.filter(state__in=COMING).select_related("user"):
            registration.event = event
            tell_with_invitation(registration, "dating.moved", now)
    return event
