"""The jobs of events: running their handlers. Running one twice changes nothing."""

from datetime import datetime
from uuid import UUID

from config import clock
from notifications import looks, queue
from notifications.events import running

EVENTS_DUE = "events-due"


@queue.on(queue.DEFAULT)
def event_handle(run_id: str) -> None:
    """Run one handler on its event, and those on the events that it causes."""
    if left := running.runs_handle(UUID(run_id)):
        queue.enqueue(event_handle, str(left))


@queue.on(queue.DEFAULT)
def events_due() -> None:
    """Run the handlers that are due and have no job: retries, and those whose job was lost."""
    queue.started(EVENTS_DUE)
    if running.due_runs_handle():
        _look_after_events(clock.now())


def _look_after_events(now: datetime) -> None:
    queue.enqueue_unless_waiting(EVENTS_DUE, events_due)


looks.register(_look_after_events, asks=running.ANY_DUE)
