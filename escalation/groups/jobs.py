"""What the queue runs for alert groups. Running it twice changes nothing."""

from config import clock
from escalation.groups import ringing
from notifications import queue

RING = "groups-ring"


@queue.on(queue.DEFAULT)
def groups_ring() -> None:
    """Tell the alert groups that are due."""
    queue.started(RING)
    ringing.look(clock.now())


def ring_soon() -> None:
    """Have what is due told at once: the sweep would find it within a second."""
    queue.enqueue_unless_waiting(RING, groups_ring)
