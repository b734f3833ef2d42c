"""Events of other services, many at once: stored as ``outbox.event_accept`` stores one, by two statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from psycopg.types.json import Jsonb
from redis.exceptions import RedisError

from accounts.ids import uuid7
from config import clock, sql
from config.rest.exceptions import Conflict
from config.statements import named
from notifications import metrics, queue
from notifications.events import jobs, registry
from notifications.events.running import OWN_JOB

log = structlog.get_logger(__name__)

OTHER_CONTENT: Final = "An event with this event_id was published before, with other content."
#: So few runs get a job each; of more, the due ones are looked for, which costs less.
FEW: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An event as another service published it, checked by ``payloads.check_event``."""

    event_id: UUID
    routing_key: str
    source: str
    payload: dict[str, Any]
    #: None: its publisher does not say.
    occurred_at: datetime | None = None


_STORE: Final = """
INSERT INTO notifications_event
       (id, routing_key, source, payload, occurred_at, created_at, published_by_id, is_known)
SELECT id, routing_key, source, payload, coalesce(occurred_at, %(now)s), %(now)s, NULL, is_known
  FROM unnest(%(ids)s::uuid[], %(keys)s::text[], %(sources)s::text[], %(payloads)s::jsonb[],
              %(times)s::timestamptz[], %(known)s::bool[])
       AS given (id, routing_key, source, payload, occurred_at, is_known)
    ON CONFLICT (id) DO NOTHING
RETURNING id
"""
named("events.incoming.store", "Store events of other services, those that are new.", _STORE)
_RUNS: Final = """
INSERT INTO notifications_handlerrun
       (id, event_id, handler, status, due_at, attempts, replays, error, created_at)
SELECT id, event_id, handler, 'pending', %(due_at)s, 0, 0, '', %(now)s
  FROM unnest(%(ids)s::uuid[], %(events)s::uuid[], %(handlers)s::text[]) AS run (id, event_id, handler)
"""
named("events.incoming.runs", "Store a run for each handler of these events.", _RUNS)
_OTHERS: Final = """
SELECT count(*)
  FROM unnest(%(ids)s::uuid[], %(keys)s::text[], %(payloads)s::jsonb[]) AS given (id, routing_key, payload)
  JOIN notifications_event AS event USING (id)
 WHERE event.routing_key <> given.routing_key OR event.payload <> given.payload
"""
named("events.incoming.others", "Count the events that are there with other content.", _OTHERS)


def events_accept(incoming: Sequence[Incoming]) -> set[UUID]:
    """Store events; returns the ids of those that are new. Raises Conflict if one is another event's."""
    now = clock.now()
    handlers = {key: registry.subscribers(key) for key in {event.routing_key for event in incoming}}
    columns: dict[str, Any] = {
        "ids": [event.event_id for event in incoming],
        "keys": [event.routing_key for event in incoming],
        "payloads": [Jsonb(event.payload) for event in incoming],
        "sources": [event.source for event in incoming],
        "times": [event.occurred_at for event in incoming],
        "known": [bool(handlers[event.routing_key]) for event in incoming],
        "now": now,
    }
    stored = set(sql.column(_STORE, columns))
    # One that comes twice in a batch is new once.
    first = {event.event_id: event for event in reversed(incoming) if event.event_id in stored}
    new = list(reversed(first.values()))
    if len(new) < len(incoming) and sql.value(_OTHERS, columns):
        raise Conflict(OTHER_CONTENT)
    runs = [
        (uuid7(), event.event_id, handler.name) for event in new for handler in handlers[event.routing_key]
    ]
    if runs:
        ids, events, names = map(list, zip(*runs, strict=True))
        # Without jobs of their own they have to be old enough not to be taken for runs that have one.
        due_at = now if len(runs) <= FEW else now - OWN_JOB
        sql.execute(_RUNS, {"ids": ids, "events": events, "handlers": names, "due_at": due_at, "now": now})
    known = [bool(handlers[event.routing_key]) for event in new]
    transaction.on_commit(partial(_announce, new, known, [run for run, _, _ in runs]), robust=True)
    return stored


def _announce(new: Sequence[Incoming], known: Sequence[bool], runs: Sequence[UUID]) -> None:
    """Count committed events and have their runs looked at; without Redis the sweep finds them."""
    for event, is_known in zip(new, known, strict=True):
        metrics.add("events", "true" if is_known else "false")
        if not is_known:
            log.warning("event_unknown", event_id=str(event.event_id), routing_key=event.routing_key)
    try:
        if len(runs) > FEW:
            queue.enqueue_unless_waiting(jobs.EVENTS_DUE, jobs.events_due)
            return
        for run in runs:
            queue.enqueue(jobs.event_handle, str(run))
    except RedisError as error:
        log.warning("enqueue_failed", events=len(new), error=str(error))
