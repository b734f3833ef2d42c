"""What the queue runs for external calendars. Running one twice changes nothing."""

from typing import Final
from uuid import UUID

from config import clock
from escalation.calendars import refreshing
from notifications import queue

DUE: Final = "calendars-due"


@queue.on(queue.DEFAULT)
def calendars_due() -> None:
    """Have each calendar that is due fetched by a job of its own, so that a slow one holds up no other."""
    queue.started(DUE)
    for calendar_id in refreshing.due(clock.now()):
        queue.enqueue(calendar_fetch, str(calendar_id))


@queue.on(queue.SLOW)
def calendar_fetch(calendar_id: str) -> None:
    """Fetch a calendar, and read it if it has changed."""
    refreshing.refresh(UUID(calendar_id), now=clock.now())


def fetch_soon() -> None:
    """Have new calendars fetched once the transaction under way is committed."""
    queue.enqueue_on_commit(DUE, calendars_due)
