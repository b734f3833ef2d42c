"""What the queue runs for escalations. Running one twice changes nothing."""

from config import clock
from escalation.services import hang_ups as calls
from notifications import queue

HANG_UPS = "hang-ups"


@queue.on(queue.DEFAULT)
def hang_ups() -> None:
    """Hang up calls that ring in vain."""
    queue.started(HANG_UPS)
    calls.run(clock.now())
