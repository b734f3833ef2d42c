"""Publishing: an event is stored, with a run for each handler, in the transaction that caused it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from psycopg.types.json import Jsonb
from redis.exceptions import RedisError

from accounts.ids import uuid7
from accounts.models import ApiKey
from config import clock, sql
from config.rest.exceptions import Conflict
from config.statements import named
from notifications import metrics, queue
from notifications.brokers import outbox as brokers_outbox
from notifications.events import following, jobs, registry
from notifications.events.incoming import OTHER_CONTENT
from notifications.events.payloads import check_event
from notifications.models import Event

log = structlog.get_logger(__name__)

SOURCE: Final = "tocsin"

# The event and its runs by one statement; neither where the id is taken.
_STORE: Final = """
WITH event AS (
    INSERT INTO notifications_event
           (id, routing_key, source, payload, occurred_at, created_at, published_by_id, is_known)
    VALUES (%(id)s, %(routing_key)s, %(source)s, %(payload)s, %(occurred_at)s, %(created_at)s,
            %(published_by_id)s, %(is_known)s)
        ON CONFLICT (id) DO NOTHING
 RETURNING id
), runs AS (
    INSERT INTO notifications_handlerrun
           (id, event_id, handler, status, due_at, attempts, replays, error, created_at)
    SELECT run.id, event.id, run.handler, 'pending', %(created_at)s, 0, 0, '', %(created_at)s
      FROM event CROSS JOIN unnest(%(run_ids)s::uuid[], %(handlers)s::text[]) AS run (id, handler)
)
SELECT count(*) FROM event
"""
named("events.store", "Store an event and a run for each of its handlers.", _STORE)


def event_publish(
    *,
    routing_key: str,
    payload: dict[str, Any],
    source: str = SOURCE,
    occurred_at: datetime | None = None,
    event_id: UUID | None = None,
    published_by: ApiKey | None = None,
) -> Event:
    """Store an event of the product's own, in the caller's transaction; its handlers run once that commits.

    Where there is a broker, it is published there too.

    Args:
        routing_key: words with dots between, such as ``stage.accepted``.
        source: which service it comes from.
        occurred_at: when it happened; now, if not given.
        event_id: the publisher's own id of it: the same event again under it is stored once.

    Raises:
        ValidationError: it can't be stored or handled; says which field is wrong.
        Conflict: another event has this id.
    """
    event, created = event_accept(
        routing_key=routing_key,
        payload=payload,
        source=source,
        occurred_at=occurred_at,
        event_id=event_id,
        published_by=published_by,
    )
    if created:
        brokers_outbox.event_send(event_id=event.pk, routing_key=event.routing_key, envelope=envelope(event))
    return event


def event_accept(
    *,
    routing_key: str,
    payload: dict[str, Any],
    source: str,
    occurred_at: datetime | None = None,
    event_id: UUID | None = None,
    published_by: ApiKey | None = None,
) -> tuple[Event, bool]:
    """Store an event as ``event_publish`` does, of another service's: it is not published at the broker.

    The second value is False where the event was there already.
    """
    check_event(routing_key=routing_key, payload=payload, source=source)
    handlers = [handler.name for handler in registry.subscribers(routing_key)]
    now = clock.now()
    event = Event(
        id=event_id or uuid7(),
        routing_key=routing_key,
        source=source,
        payload=payload,
        occurred_at=occurred_at or now,
        created_at=now,
        published_by=published_by,
        is_known=bool(handlers),
    )
    run_ids = [uuid7() for _ in handlers]
    if not _store(event, run_ids, handlers):
        # The database compares: it knows what it made of the numbers.
        same: dict[str, Any] = {"routing_key": routing_key, "source": source, "payload": payload}
        if occurred_at is not None:
            same["occurred_at"] = occurred_at
        existing = Event.objects.filter(pk=event.pk, **same).first()
        if existing is None:
            raise Conflict(OTHER_CONTENT)
        return existing, False
    if run_ids:
        following.expect()
    transaction.on_commit(partial(_announce, event, run_ids), robust=True)
    return event, True


def envelope(event: Event) -> dict[str, Any]:
    """Return an event as it goes over a broker, and as the API shows it."""
    return {"payload": event.payload, "_meta": meta(event)}


def meta(event: Event) -> dict[str, Any]:
    return {
        "timestamp": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "routing_key": event.routing_key,
        "source": event.source,
        "event_id": str(event.pk),
    }


def _store(event: Event, run_ids: list[UUID], handlers: list[str]) -> bool:
    """Insert the event and its runs; returns False, having done nothing, if its id is taken."""
    names = ("id", "routing_key", "source", "occurred_at", "created_at", "published_by_id", "is_known")
    parameters = {name: getattr(event, name) for name in names}
    parameters |= {"payload": Jsonb(event.payload), "run_ids": run_ids, "handlers": handlers}
    return bool(sql.value(_STORE, parameters))


def _announce(event: Event, run_ids: Sequence[UUID]) -> None:
    """Count a committed event, and put its runs on the queue; without Redis the sweep finds them."""
    metrics.add("events", "true" if event.is_known else "false")
    if not event.is_known:
        log.warning(
            "event_unknown", event_id=str(event.pk), routing_key=event.routing_key, source=event.source
        )
    try:
        for run_id in run_ids:
            if not following.take(run_id):
                queue.enqueue(jobs.event_handle, str(run_id))
    except RedisError as error:
        log.warning("enqueue_failed", event_id=str(event.pk), error=str(error))
