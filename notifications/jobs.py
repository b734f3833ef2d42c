"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

from django.utils import timezone

from notifications import queue
from notifications.engine import fanout
from notifications.engine import sweep as engine_sweep

FAN_OUT = "fan-out"


def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert, and of any others that wait by now."""
    queue.started(FAN_OUT)
    fanout.alerts_fan_out()


def sweep() -> None:
    """Every second: lost leases, lost fan-outs, and a look at what is due."""
    engine_sweep.sweep(timezone.now())


def expire() -> None:
    """Every minute: end what is too old."""
    engine_sweep.expire(timezone.now())
