"""What is told of heartbeats, as occurrences: one that goes down opens a group, its next ping closes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from django.conf import settings

from escalation.groups.matching import Owner
from escalation.groups.taking import occurrences_take
from escalation.intake.occurrence import Act, Occurrence, occurrence_of
from escalation.models import Heartbeat

log = structlog.get_logger(__name__)


class Down(NamedTuple):
    """A heartbeat that went down, with the title and the details that say why."""

    heartbeat: Heartbeat
    title: str
    details: str


def missed(heartbeat: Heartbeat) -> Down:
    """Return what is told of one whose time is over; it was read before that, or after."""
    last = f"Last ping: {_time(heartbeat.last_ping_at)}."
    if heartbeat.last_start_at and not (
        heartbeat.expected_at and heartbeat.expected_at < heartbeat.last_start_at
    ):
        title = f"{heartbeat.name} has started and not ended"
        return Down(heartbeat, title, f"Started: {_time(heartbeat.last_start_at)}. {last}")
    expected = f"Expected: {_time(heartbeat.expected_at)}, and {heartbeat.grace_s} s of grace."
    return Down(heartbeat, f"{heartbeat.name} has not reported", f"{last} {expected}")


def failed(heartbeat: Heartbeat, exit_status: int | None, body: str) -> Down:
    """Return what is told of one that reported a failure."""
    said = f" (exit status {exit_status})" if exit_status else ""
    return Down(heartbeat, f"{heartbeat.name} failed{said}", body)


def down_tell(downs: Sequence[Down], *, now: datetime) -> None:
    """Have it told that these went down; within the transaction that says so of them."""
    heartbeats = [down.heartbeat for down in downs]
    _take(heartbeats, [_occurrence(*down, act=Act.TRIGGER) for down in downs], now)
    for heartbeat in heartbeats:
        log.info("heartbeat_down", heartbeat=str(heartbeat.pk))


def up_tell(heartbeats: Sequence[Heartbeat], *, now: datetime) -> None:
    """Close what was told of these; within the transaction that says that they are up, or not looked at."""
    _take(heartbeats, [_occurrence(each, "", "", act=Act.RESOLVE) for each in heartbeats], now)
    for heartbeat in heartbeats:
        log.info("heartbeat_up", heartbeat=str(heartbeat.pk))


def _take(heartbeats: Sequence[Heartbeat], occurrences: Sequence[Occurrence], now: datetime) -> None:
    owners = {_key(each): Owner(each.policy, each.shop) for each in heartbeats}
    occurrences_take(integration=None, occurrences=occurrences, owners=owners, now=now)


def _key(heartbeat: Heartbeat) -> str:
    # Not by the UUID of its pings, which is a secret.
    return f"heartbeat:{heartbeat.pk}"


def _occurrence(heartbeat: Heartbeat, title: str, details: str, *, act: Act) -> Occurrence:
    return occurrence_of(
        key=_key(heartbeat),
        act=act,
        title=title,
        details=details,
        severity=heartbeat.severity,
        labels={"heartbeat": heartbeat.slug, "tags": " ".join(heartbeat.tags)},
        link=f"{settings.PUBLIC_URL}/heartbeats/",
    )


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never"
