"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

from uuid import UUID

from django.utils import timezone

from notifications import looks, queue
from notifications.engine import digest, fanout
from notifications.engine import sweep as engine_sweep
from notifications.events import retention, running

FAN_OUT = "fan-out"
EVENTS_DUE = "events-due"
DIGESTS = "digests"


def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert, and of any others that wait by now."""
    queue.started(FAN_OUT)
    fanout.alerts_fan_out()


def sweep() -> None:
    """Every second: lost leases, lost fan-outs, and a look at what is due or ripe."""
    now = timezone.now()
    engine_sweep.sweep(now)
    if running.any_due(now):
        queue.enqueue_unless_waiting(EVENTS_DUE, events_due)
    if digest.any_ripe(now):
        queue.enqueue_unless_waiting(DIGESTS, digests)
    looks.look(now)


def digests() -> None:
    """Tell what quiet hours that have ended held back; a part of it, so that others get their turn."""
    queue.started(DIGESTS)
    if digest.digests_send(timezone.now()):
        queue.enqueue_unless_waiting(DIGESTS, digests)


def expire() -> None:
    """Every minute: end what is too old."""
    engine_sweep.expire(timezone.now())


def event_handle(run_id: str) -> None:
    """Run one handler on its event, and those on the events that it causes."""
    if left := running.runs_handle(UUID(run_id)):
        queue.enqueue(event_handle, str(left))


def events_due() -> None:
    """Run the handlers that are due and have no job: retries, and those whose job was lost."""
    queue.started(EVENTS_DUE)
    if running.due_runs_handle():
        queue.enqueue_unless_waiting(EVENTS_DUE, events_due)


def events_expire() -> None:
    """Every day: delete old events that are done with."""
    retention.events_expire(timezone.now())
