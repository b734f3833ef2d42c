"""What the queue runs for escalations. Running one twice changes nothing."""

from django.utils import timezone

from escalation.voice import hang_ups as calls
from notifications import queue

HANG_UPS = "hang-ups"


def hang_ups() -> None:
    """Hang up calls that ring in vain."""
    queue.started(HANG_UPS)
    calls.run(timezone.now())
