"""What the clock starts, by config.schedule. Jobs take ids, and running one twice changes nothing."""

from config import clock
from notifications import looks, queue
from notifications.engine import sweep as engine_sweep
from notifications.history import ending, months
from notifications.inbox import snoozing
from notifications.services import gone

HISTORY_ENDS = "history-ends"


@queue.on(queue.URGENT)
def sweep() -> None:
    """Every second: whatever no message announced, the engine's and the domains'."""
    looks.look(clock.now())


@queue.on(queue.DEFAULT)
def expire() -> None:
    """Every minute: end what is too old."""
    engine_sweep.expire(clock.now())


@queue.on(queue.SLOW)
def history_months() -> None:
    """Every hour: make the tables of the next months, and end the months that are too old."""
    months.make_ahead(clock.now())
    queue.enqueue_unless_waiting(HISTORY_ENDS, history_end)


@queue.on(queue.SLOW)
def history_end() -> None:
    """End the months that are too old; a part of it, so that others get their turn."""
    queue.started(HISTORY_ENDS)
    if ending.months_end(clock.now(), budget_s=queue.SLICE_S):
        queue.enqueue_unless_waiting(HISTORY_ENDS, history_end)


@queue.on(queue.SLOW)
def history_analyze() -> None:
    """Every night: tell the planner what the history looks like by now."""
    months.analyze(clock.now())


looks.register(gone.contact_points_follow_up, asks=gone.ANY)
looks.register(snoozing.items_wake, asks=snoozing.ANY_DUE)
