"""What the queue runs for escalations. Running one twice changes nothing."""

from config import clock
from escalation.drills.starting import drills_start
from escalation.figures import monthly
from escalation.holes.telling import holes_look
from escalation.schedules.handoffs import handoffs_tell
from escalation.services import hang_ups as calls
from notifications import queue

HANG_UPS = "hang-ups"


@queue.on(queue.DEFAULT)
def hang_ups() -> None:
    """Hang up calls that ring in vain."""
    queue.started(HANG_UPS)
    calls.run(clock.now())


@queue.on(queue.SLOW)
def figures_tell() -> None:
    """In the first week of a month: tell administrators last month's figures, unless they were told."""
    monthly.month_tell(clock.now())


@queue.on(queue.SLOW)
def holes() -> None:
    """Look for holes in schedules and policies, and tell those that are to be told."""
    holes_look(clock.now())


@queue.on(queue.DEFAULT)
def drills() -> None:
    """Start the drills that schedules ask for at this hour."""
    drills_start(clock.now())


@queue.on(queue.DEFAULT)
def handoffs() -> None:
    """Tell people that they are on call from now on, or will be soon."""
    handoffs_tell(clock.now())
