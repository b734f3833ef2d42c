"""What a fan-out would do for one person, by the very same query, without doing it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from accounts.models import User
from config import clock
from config.sql import run_prepared
from notifications.engine.fanout import sql
from notifications.engine.fanout.audience import people
from notifications.engine.fanout.chunk import asked
from notifications.engine.recipients import unusable
from notifications.messages import catalogue
from notifications.models import ContactPoint, Delivery, Notification
from notifications.quiet_hours import DIGEST_GRACE


class Decision(NamedTuple):
    """What becomes of a notification at one contact point, or in the inbox, or by the default channel.

    ``status``, ``reason`` and ``due_at`` are those that the delivery would have; ``held_until`` is when the
    quiet hours end that it would be held for.
    """

    contact_point_id: UUID | None
    channel: str
    status: str
    reason: str
    due_at: datetime
    held_until: datetime | None


def goes_to_inbox(kind: str) -> bool:
    """Whether a kind is told in everybody's inbox; alerts are told to who wants them there."""
    return kind != "alert"


def preview(*, user: User, kind: str, severity: str, at: datetime) -> list[Decision]:
    """Return how a person would be told of such a notification at a time, as their preferences are now."""
    audience = people([user.pk], as_of=max(at, clock.now()))
    known = catalogue.kinds().get(kind)
    # Whether it carries a file decides too.
    notification = Notification(kind=kind, severity=severity, data=known.sample if known else {})
    shape, parameters = asked(notification, audience, inbox=goes_to_inbox(kind), after=None, now=at)
    told = []
    decisions = sql.decisions(audience.sql, shape)
    for contact_point_id, channel, reason, held_until, digest, held_by in run_prepared(decisions, parameters):
        status, due_at = Delivery.Status.PENDING, at
        if reason:
            status = Delivery.Status.SUPPRESSED
        elif channel in parameters["instant"]:
            status = Delivery.Status.SENT
        elif held_until is not None:
            reason = Delivery.Reason.DIGEST if digest else held_by
            due_at = held_until + DIGEST_GRACE if digest else held_until
        told.append(Decision(contact_point_id, channel, status, reason, due_at, held_until))
    if user.is_active:
        # Those that nobody has confirmed are not there for the fan-out.
        for point in ContactPoint.objects.filter(user=user, confirmed_at=None, deleted_at=None):
            reason = unusable(point) or ""
            told.append(Decision(point.pk, point.channel, Delivery.Status.SUPPRESSED, reason, at, None))
    return told
