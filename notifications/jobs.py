"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from notifications import looks, queue
from notifications.engine import claim, digest, fanout
from notifications.engine import sweep as engine_sweep
from notifications.events import running

FAN_OUT = "fan-out"
EVENTS_DUE = "events-due"
DIGESTS = "digests"


@queue.on(queue.URGENT)
def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert, and of any others that wait by now."""
    queue.started(FAN_OUT)
    fanout.alerts_fan_out()


@queue.on(queue.URGENT)
def sweep() -> None:
    """Every second: whatever no message announced, the engine's and the domains'."""
    looks.look(timezone.now())


def _look_after_events(now: datetime) -> None:
    queue.enqueue_unless_waiting(EVENTS_DUE, events_due)


def _look_after_digests(now: datetime) -> None:
    queue.enqueue_unless_waiting(DIGESTS, digests)


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


looks.register(engine_sweep.alerts_look, asks=engine_sweep.NOT_FANNED_OUT)
looks.register(engine_sweep.senders_wake, asks=claim.ANY_DUE)
looks.register(_look_after_events, asks=running.ANY_DUE)
looks.register(_look_after_digests, asks=digest.ANY_RIPE)
