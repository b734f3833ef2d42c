"""Messages to be published: stored in the transaction that they tell of, sent by ``manage.py publish``."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from notifications import queue
from notifications.brokers.headers import plain, wire_of
from notifications.brokers.messages import Answer
from notifications.brokers.sources import Source
from notifications.models import OutgoingMessage

CHANNEL: Final = "publish"
#: The source whose broker and exchange the product's own events go to.
EVENTS: Final = "events"


def messages_send(*, source: Source, answers: Iterable[Answer]) -> None:
    """Have messages published at a source's broker, in their order, once the caller's transaction commits."""
    rows = [
        OutgoingMessage(
            broker=source.name,
            exchange=answer.exchange,
            routing_key=answer.routing_key,
            headers=plain(answer.headers),
            wire_headers=wire_of(answer.headers) or None,
            body=answer.body,
        )
        for answer in answers
    ]
    if rows:
        OutgoingMessage.objects.bulk_create(rows)
        wake_on_commit()


def event_send(*, event_id: UUID, routing_key: str, envelope: dict[str, Any]) -> None:
    """Have one of the product's own events published, if that is wanted."""
    events = settings.SOURCES.get(EVENTS, {})
    if not events.get("url") or not settings.EVENTS_PUBLISHED:
        return
    OutgoingMessage.objects.create(
        broker=EVENTS,
        message_id=event_id,
        exchange=events["exchange"],
        routing_key=routing_key,
        body=envelope,
    )
    wake_on_commit()


def wake_on_commit() -> None:
    """Tell the publisher to look, once the transaction under way commits; else it looks every second."""
    transaction.on_commit(partial(queue.hint, CHANNEL, b"", failed="publisher_not_woken"), robust=True)


def waiting() -> int:
    """Return how many messages wait to be published."""
    return OutgoingMessage.objects.count()
