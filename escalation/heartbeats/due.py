"""When the next ping of a heartbeat should come, and when it goes down without. Pure."""

from datetime import datetime, timedelta

from config.cron import next_turn
from escalation.models import Heartbeat

State = Heartbeat.State


def when_due(heartbeat: Heartbeat) -> tuple[datetime | None, datetime | None]:
    """Return ``expected_at`` and ``due_at`` of a heartbeat as it is now, as the ping's statement does."""
    expected_at = None
    if heartbeat.state == State.UP and heartbeat.last_ping_at is not None:
        expected_at = expected_after(heartbeat, heartbeat.last_ping_at)
    if heartbeat.state not in (State.NEW, State.UP):
        return heartbeat.expected_at, None
    times = [at for at in (expected_at, heartbeat.last_start_at) if at is not None]
    return expected_at, min(times) + timedelta(seconds=heartbeat.grace_s) if times else None


def expected_after(heartbeat: Heartbeat, ping_at: datetime) -> datetime:
    """Return when the ping after this one should come."""
    if heartbeat.cron:
        return next_turn(heartbeat.cron, heartbeat.time_zone, ping_at.replace(second=0, microsecond=0))
    return ping_at + timedelta(seconds=heartbeat.period_s)
