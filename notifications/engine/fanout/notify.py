"""Telling an audience of something, as part of the caller's transaction."""

from datetime import datetime
from functools import partial

from django.db import transaction

from config import clock
from notifications.engine.fanout.audience import Audience
from notifications.engine.fanout.chunk import Chunk, fan_out_chunk, tell
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
    now, chunks = clock.now(), list[Chunk]()
    with transaction.atomic(savepoint=False):  # a failure is the caller's: nobody goes on after half of it
        while not chunks or chunks[-1].last_user:
            after = chunks[-1].last_user if chunks else None
            chunk = fan_out_chunk(
                notification, audience, inbox=inbox, after=after, now=now, shared=True, expires_at=expires_at
            )
            chunks.append(chunk)
        transaction.on_commit(partial(tell, chunks), robust=True)
