"""Telling a whole group of people: a chunk a transaction, with how far it has come in the broadcast's row."""

import time
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import DatabaseError, transaction

from config import clock
from notifications import ids
from notifications.engine.fanout.audience import Audience
from notifications.engine.fanout.chunk import fan_out_chunk, tell
from notifications.looks import first
from notifications.models import Broadcast, Notification

log = structlog.get_logger(__name__)

AUDIENCES: Final = {
    Broadcast.Audience.STUDENTS: "SELECT user_id FROM accounts_student WHERE created_at <= %(as_of)s",
}
# Whether there is anything to do, as notifications.looks asks it.
ANY_DUE: Final = first("notifications_broadcast WHERE due_at <= %(now)s", by="due_at")
# One that fails is left alone for so long, and the others go on.
RETRY_AFTER: Final = timedelta(minutes=1)
# A worker gives its other jobs their turn after so many seconds.
TURN_S: Final = 2.0


def broadcast(notification: Notification, audience: Broadcast.Audience, *, as_of: datetime) -> None:
    """Store a notification, unless it is there by its ``dedup_key``, and have everybody told of it.

    Part of the caller's transaction. Doing it again tells nobody twice.

    Args:
        as_of: when the fact happened: who belongs to the audience later is not told.
    """
    notification.pk = ids.notification_id(as_of)
    Notification.objects.bulk_create([notification], ignore_conflicts=True)
    stored = Notification.objects.get(dedup_key=notification.dedup_key)
    Broadcast.objects.get_or_create(notification=stored, defaults={"audience": audience, "as_of": as_of})


def broadcasts_fan_out() -> bool:
    """Make deliveries of the broadcasts that are due; returns whether there is more to do after this turn."""
    ends_at = time.monotonic() + TURN_S
    while time.monotonic() < ends_at:
        if not _fan_out_next():
            return False
    return True


def _fan_out_next() -> bool:
    """Make the next chunk of the one that has waited longest; whether there was any."""
    now, one = clock.now(), None
    try:
        with transaction.atomic():
            due = Broadcast.objects.filter(due_at__lte=now).select_related("notification")
            one = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at").first()
            if one is None:
                return False
            audience = Audience(AUDIENCES[Broadcast.Audience(one.audience)], {}, one.as_of)
            chunk = fan_out_chunk(one.notification, audience, inbox=True, after=one.fanned_out_to, now=now)
            if chunk.last_user is None:
                one.delete()
            else:
                one.fanned_out_to, one.due_at = chunk.last_user, now  # the others get their turn
                one.save(update_fields=["fanned_out_to", "due_at"])
    except (DatabaseError, ValueError):
        if one is None:
            raise
        log.exception("broadcast_failed", notification=str(one.pk))
        Broadcast.objects.filter(pk=one.pk).update(due_at=now + RETRY_AFTER)
        return True
    tell([chunk])
    return True
