"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

import time
from datetime import datetime
from typing import Final

from config import clock
from notifications import looks, queue
from tracing import packing, partitions
from tracing.services import searches

SEARCHES: Final = "tracing-searches"
#: A job goes on in another after so many seconds, so that others get their turn.
SLICE_S: Final = 2.0


@queue.on(queue.SLOW)
def case_search(case_id: str) -> None:
    """Search a case, and any others that wait by now."""
    queue.started(SEARCHES)
    ends = time.monotonic() + SLICE_S
    while searches.pending_run(now=clock.now()):
        if time.monotonic() > ends:
            queue.enqueue_unless_waiting(SEARCHES, case_search, case_id)
            return


ANY_PENDING: Final = looks.first(
    "tracing_casesearch WHERE searched_at IS NULL AND due_at <= %(now)s", by="due_at"
)


def searches_due(now: datetime) -> None:
    """Have the cases searched whose job was lost, or failed before."""
    if searches.pending(now).exists():
        queue.enqueue_unless_waiting(SEARCHES, case_search, "")


@queue.on(queue.SLOW)
def check(after: int = 0) -> None:
    """The periodic check: search open cases again for what was ingested since, from one search on.

    Killed anywhere, it has told and noted all or nothing of each batch; the next one goes on with the rest.
    """
    now, ends = clock.now(), time.monotonic() + SLICE_S
    if not after:
        searches.check_begin(now=now)
    place = searches.check_run(after=after, now=now)
    while place is not None:
        if time.monotonic() > ends:
            queue.enqueue(check, place)
            return
        place = searches.check_run(after=place, now=now)


@queue.on(queue.SLOW)
def partitions_keep() -> None:
    """Every hour: make the partitions of the next days, and drop those of days that are too old."""
    now = clock.now()
    partitions.make_ahead(now)
    partitions.drop_old(now)


@queue.on(queue.SLOW)
def partitions_pack() -> None:
    """Every night: pack the days that are over: they are searched faster, and take a third of the room."""
    packing.pack(clock.now())
