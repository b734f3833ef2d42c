"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

from uuid import UUID

from django.utils import timezone

from notifications.engine import fanout
from notifications.engine import sweep as engine_sweep


def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert."""
    fanout.alert_fan_out(UUID(alert_uuid))


def sweep() -> None:
    """Every second: lost leases, lost fan-outs, and a look at what is due."""
    engine_sweep.sweep(timezone.now())


def expire() -> None:
    """Every minute: end what is too old."""
    engine_sweep.expire(timezone.now())
