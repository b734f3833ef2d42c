"""The job that erases whoever left. Running it twice changes nothing."""

from datetime import datetime

from config import clock
from notifications import looks, queue
from notifications.departures import going

DEPARTURES = "departures"


@queue.on(queue.SLOW)
def departures_go_on() -> None:
    """Erase whoever deleted their account; a part of it, so that others get their turn."""
    queue.started(DEPARTURES)
    now = clock.now()
    if going.departures_go_on(now, budget_s=queue.SLICE_S):
        _look_after_departures(now)


def _look_after_departures(now: datetime) -> None:
    queue.enqueue_unless_waiting(DEPARTURES, departures_go_on)


looks.register(_look_after_departures, asks=going.ANY_DUE)
