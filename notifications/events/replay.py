"""Starting handlers again: of dead letters, of events that nobody knew, and of others where asked for."""

from collections.abc import Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet

from config import clock
from notifications import queue
from notifications.events import jobs, registry
from notifications.models import Event, HandlerRun


def dead_letters_replay(runs: QuerySet[HandlerRun]) -> int:
    """Give those of these runs that are dead letters a full budget again; returns how many."""
    chosen = HandlerRun.objects.filter(pk__in=runs.order_by().values("pk"), status=HandlerRun.Status.DEAD)
    return _start_again(chosen)


def event_replay(*, event_id: UUID, handlers: Sequence[str] | None = None) -> int:
    """Start an event's handlers again; returns how many.

    Args:
        handlers: which, whatever came of them. None means its dead letters, and the handlers that have
            come to want it since it was published.

    Raises:
        Event.DoesNotExist: there is no such event.
        ValidationError: one of ``handlers`` does not want this event, or is not there.
    """
    with transaction.atomic():
        event = Event.objects.select_for_update(no_key=True).get(pk=event_id)
        wanted = [handler.name for handler in registry.subscribers(event.routing_key)]
        runs = HandlerRun.objects.filter(event=event)
        if handlers is None:
            again = runs.filter(status=HandlerRun.Status.DEAD)
        else:
            if unwilling := [name for name in handlers if name not in wanted]:
                choice = ", ".join(wanted) or "there is none"
                fault = f"{unwilling[0][:100]} does not handle {event.routing_key}."
                raise ValidationError({"handlers": [f"{fault} Expected some of: {choice}."]})
            wanted = [name for name in wanted if name in handlers]
            again = runs.filter(handler__in=wanted).exclude(status=HandlerRun.Status.PENDING)
        count = _start_again(again)
        # Such as one that was not there when the event was published.
        present = set(runs.values_list("handler", flat=True))
        # As a replay, so that they need no job of their own.
        missing = [HandlerRun(event=event, handler=name, replays=1) for name in wanted if name not in present]
        if missing:
            HandlerRun.objects.bulk_create(missing)
            Event.objects.filter(pk=event.pk).update(is_known=True)
            _look_on_commit()
        return count + len(missing)


def _start_again(runs: QuerySet[HandlerRun]) -> int:
    count = runs.update(
        status=HandlerRun.Status.PENDING,
        attempts=0,
        replays=F("replays") + 1,
        due_at=clock.now(),
        finished_at=None,
    )
    if count:
        _look_on_commit()
    return count


def _look_on_commit() -> None:
    """One job for all of them, since they may be many."""
    queue.enqueue_on_commit(jobs.EVENTS_DUE, jobs.events_due)
