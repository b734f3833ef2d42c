"""Telling an audience of something, as part of the caller's transaction."""

from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from config import clock
from notifications.engine import wake
from notifications.engine.fanout.audience import Audience
from notifications.engine.fanout.chunk import fan_out_chunk
from notifications.inbox import live
from notifications.models import Notification


def notify(
    notification: Notification, audience: Audience, *, inbox: bool, expires_at: datetime | None = None
) -> None:
    """Store a notification, unless it is there by its ``dedup_key``, and make its deliveries.

    Part of the caller's transaction, or one of its own. Doing it again, or many times at once, makes nothing
    twice. What comes to a person beyond PERSON_SHARE goes behind everybody else's. The senders and the
    inboxes' readers hear of it after the commit.

    Args:
        inbox: everyone gets an item in their inbox beside a delivery per contact point; without it, whoever
            has no contact point is told by the default channel.
        expires_at: when it makes no sense any more, if that is before it is too old (DELIVERY_MAX_AGE_H).
    """
    now, after, pending, revocable = clock.now(), None, 0, False
    inboxes: list[UUID] = []
    with transaction.atomic(savepoint=False):  # a failure is the caller's: nobody goes on after half of it
        while True:
            chunk = fan_out_chunk(
                notification,
                audience,
                inbox=inbox,
                after=after,
                now=now,
                shared=True,
                expires_at=expires_at,
            )
            pending += chunk.pending
            revocable = revocable or chunk.revocable
            inboxes += chunk.inboxes
            after = chunk.last_user
            if after is None:
                break
        if inboxes:
            transaction.on_commit(partial(live.announce, inboxes), robust=True)
        if pending:
            wake_up = partial(wake.publish, revocable=revocable, deliveries=pending)
            transaction.on_commit(wake_up, robust=True)
