"""Events and what came of them, as operators see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Prefetch, QuerySet

from config import sql
from config.statements import named
from notifications.events import topics
from notifications.models import Event, HandlerRun


def events_with_runs() -> QuerySet[Event]:
    return Event.objects.prefetch_related(Prefetch("runs", HandlerRun.objects.order_by("handler")))


def dead_letters() -> QuerySet[HandlerRun]:
    return HandlerRun.objects.filter(status=HandlerRun.Status.DEAD).select_related("event").order_by("-id")


def of_keys(events: QuerySet[Event], pattern: str) -> QuerySet[Event]:
    """Those whose routing key matches a pattern."""
    if topics.is_routing_key(pattern):
        return events.filter(routing_key=pattern)
    return events.filter(routing_key__regex=topics.as_regex(pattern))


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many dead letters there are, and for how long the oldest run that waits has been due."""

    dead_letters: int
    oldest_pending_age_s: float


# Each half reads a partial index only.
_BACKLOG: Final = """
SELECT (SELECT count(*) FROM notifications_handlerrun WHERE status = 'dead'),
       (SELECT min(due_at) FROM notifications_handlerrun WHERE status = 'pending')
"""
named("events.backlog", "Count dead letters, and find the oldest run that waits.", _BACKLOG)


def backlog(*, now: datetime) -> Backlog:
    """Return what has been left undone."""
    dead_letters, oldest = sql.rows(_BACKLOG)[0]
    return Backlog(dead_letters, max((now - oldest).total_seconds(), 0.0) if oldest else 0.0)
