"""The engine's jobs: fan-outs and digests. Running one twice changes nothing."""

from datetime import datetime

from config import clock
from notifications import looks, queue
from notifications.engine import claim, digest, fanout, sweep
from notifications.engine.fanout import broadcasts

FAN_OUT = "fan-out"
DIGESTS = "digests"
BROADCASTS = "broadcasts"


@queue.on(queue.URGENT)
def alert_fan_out(alert_uuid: str) -> None:
    """Make the deliveries of an alert, and of any others that wait by now."""
    queue.started(FAN_OUT)
    fanout.alerts_fan_out()


@queue.on(queue.DEFAULT)
def digests() -> None:
    """Tell what quiet hours that have ended held back; a part of it, so that others get their turn."""
    queue.started(DIGESTS)
    now = clock.now()
    if digest.digests_send(now):
        _look_after_digests(now)


def _look_after_digests(now: datetime) -> None:
    queue.enqueue_unless_waiting(DIGESTS, digests)


@queue.on(queue.DEFAULT)
def broadcasts_fan_out() -> None:
    """Make the deliveries of what a whole group is told; a part of it, so that others get their turn."""
    queue.started(BROADCASTS)
    if fanout.broadcasts_fan_out():
        _look_after_broadcasts(clock.now())


def _look_after_broadcasts(now: datetime) -> None:
    queue.enqueue_unless_waiting(BROADCASTS, broadcasts_fan_out)


looks.register(sweep.alerts_look, asks=sweep.NOT_FANNED_OUT)
looks.register(sweep.senders_wake, asks=claim.ANY_DUE)
looks.register(_look_after_digests, asks=digest.ANY_RIPE)
looks.register(_look_after_broadcasts, asks=broadcasts.ANY_DUE)
