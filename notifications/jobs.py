"""What the queue runs. Jobs take ids, and running one twice changes nothing."""

from datetime import datetime
from uuid import UUID

from config import clock
from notifications import looks, queue
from notifications.departures import going
from notifications.engine import claim, digest, fanout
from notifications.engine import sweep as engine_sweep
from notifications.engine.fanout import broadcasts
from notifications.events import running
from notifications.history import ending, months
from notifications.services import gone

FAN_OUT = "fan-out"
EVENTS_DUE = "events-due"
DIGESTS = "digests"
BROADCASTS = "broadcasts"
HISTORY_ENDS = "history-ends"
DEPARTURES = "departures"
#: A job of the slow queue goes on in another after so many seconds, so that others get their turn.
SLICE_S = 2.0


@queue.on(queue.URGENT)
def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert, and of any others that wait by now."""
    queue.started(FAN_OUT)
    fanout.alerts_fan_out()


@queue.on(queue.URGENT)
def sweep() -> None:
    """Every second: whatever no message announced, the engine's and the domains'."""
    looks.look(clock.now())


def _look_after_events(now: datetime) -> None:
    queue.enqueue_unless_waiting(EVENTS_DUE, events_due)


def _look_after_digests(now: datetime) -> None:
    queue.enqueue_unless_waiting(DIGESTS, digests)


@queue.on(queue.DEFAULT)
def digests() -> None:
    """Tell what quiet hours that have ended held back; a part of it, so that others get their turn."""
    queue.started(DIGESTS)
    if digest.digests_send(clock.now()):
        queue.enqueue_unless_waiting(DIGESTS, digests)


def _look_after_broadcasts(now: datetime) -> None:
    queue.enqueue_unless_waiting(BROADCASTS, broadcasts_fan_out)


@queue.on(queue.DEFAULT)
def broadcasts_fan_out() -> None:
    """Make the deliveries of what a whole group is told; a part of it, so that others get their turn."""
    queue.started(BROADCASTS)
    if fanout.broadcasts_fan_out():
        queue.enqueue_unless_waiting(BROADCASTS, broadcasts_fan_out)


@queue.on(queue.DEFAULT)
def expire() -> None:
    """Every minute: end what is too old."""
    engine_sweep.expire(clock.now())


@queue.on(queue.DEFAULT)
def event_handle(run_id: str) -> None:
    """Run one handler on its event, and those on the events that it causes."""
    if left := running.runs_handle(UUID(run_id)):
        queue.enqueue(event_handle, str(left))


@queue.on(queue.DEFAULT)
def events_due() -> None:
    """Run the handlers that are due and have no job: retries, and those whose job was lost."""
    queue.started(EVENTS_DUE)
    if running.due_runs_handle():
        queue.enqueue_unless_waiting(EVENTS_DUE, events_due)


@queue.on(queue.SLOW)
def history_months() -> None:
    """Every hour: make the tables of the next months, and end the months that are too old."""
    months.make_ahead(clock.now())
    queue.enqueue_unless_waiting(HISTORY_ENDS, history_end)


@queue.on(queue.SLOW)
def history_end() -> None:
    """End the months that are too old; a part of it, so that others get their turn."""
    queue.started(HISTORY_ENDS)
    if ending.months_end(clock.now(), budget_s=SLICE_S):
        queue.enqueue_unless_waiting(HISTORY_ENDS, history_end)


@queue.on(queue.SLOW)
def history_analyze() -> None:
    """Every night: tell the planner what the history looks like by now."""
    months.analyze(clock.now())


@queue.on(queue.SLOW)
def departures_go_on() -> None:
    """Erase whoever deleted their account; a part of it, so that others get their turn."""
    queue.started(DEPARTURES)
    if going.departures_go_on(clock.now(), budget_s=SLICE_S):
        queue.enqueue_unless_waiting(DEPARTURES, departures_go_on)


def _look_after_departures(now: datetime) -> None:
    queue.enqueue_unless_waiting(DEPARTURES, departures_go_on)


looks.register(engine_sweep.alerts_look, asks=engine_sweep.NOT_FANNED_OUT)
looks.register(engine_sweep.senders_wake, asks=claim.ANY_DUE)
looks.register(_look_after_events, asks=running.ANY_DUE)
looks.register(_look_after_digests, asks=digest.ANY_RIPE)
looks.register(_look_after_broadcasts, asks=broadcasts.ANY_DUE)
looks.register(_look_after_departures, asks=going.ANY_DUE)
looks.register(gone.contact_points_follow_up, asks=gone.ANY)
