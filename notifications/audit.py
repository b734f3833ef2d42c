"""Proves conservation: whoever was to be told of an alert has exactly one delivery, and each is explained.

Reads rows only, and works out whom an alert concerns anew, by rules of its own: what the fan-out did is
not trusted. Set-based, so that a million deliveries take seconds; one snapshot, so that it may run beside
a busy system.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from notifications.audit_sql import ALERTS, COUNTS, GAPS
from notifications.channels import registry

# What has waited for so long past its time is not merely in progress.
OVERDUE = timedelta(minutes=1)
# Who joined, or changed something, within so little of an alert may have been seen either way by the
# fan-out: clocks of two machines differ, and a change is dated before it is committed.
BLUR = timedelta(seconds=1)
# Quiet hours last less than a day, but for an hour that the clock shows twice; and a digest has its minute.
LONGEST_HELD = timedelta(hours=25, minutes=1)

EXPLANATIONS = {
    "not_fanned_out": "The alert was accepted, and no deliveries were made for it.",
    "missing": "Somebody who was to be told has no delivery.",
    "told_twice": "The alert has more than one notification, so people may have been told twice.",
    "no_alert": "The delivery is for an alert that is not there.",
    "stranger": "The delivery is to somebody who never worked at the alert's shop.",
    "wrong_contact_point": "The delivery is to a contact point of somebody else.",
    "contact_point_not_there": "The delivery is to a contact point that was not there at the time.",
    "default_despite_contact_point": "The default channel was used for somebody with a contact point.",
    "level_ignored": "Somebody who wants critical alerts only was told of another.",
    "level_misread": "Suppressed by level, which this person's level and this alert do not justify.",
    "rule_ignored": "Somebody was told by a channel that a rule of theirs switches off for alerts.",
    "rule_misread": "Suppressed as unsubscribed, though a rule for this very channel and kind says yes.",
    "critical_held": "Held for quiet hours, which what is critical passes.",
    "held_too_long": "Held for longer than any quiet hours last.",
    "digest_missing": "Suppressed to be told in a digest that is not there, or went elsewhere.",
    "item_missing": "Sent to an inbox in which it does not lie.",
    "item_unsent": "It lies in an inbox, and was not sent there.",
    "sent_without_attempt": "Sent, and no attempt says so.",
    "failed_without_reason": "Failed, though its last attempt did not.",
    "suppressed_without_reason": "Suppressed without a reason, or after an attempt.",
    "ended_without_reason": "Cancelled or expired without a reason.",
    "queue_disagrees": "Pending and not in the queue, or in the queue and not pending.",
    "overdue": "Due long ago, or with a lease long lost, and nobody took it up.",
    "unsettled": "Still pending or being sent.",
    "attempts_miscounted": "The attempts on record are not those that were counted.",
}


@dataclass(frozen=True, slots=True)
class Count:
    status: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """One fault: what is concerned by it, as far as that can be said."""

    kind: str
    alert_uuid: str | None
    user_id: UUID | None
    contact_point_id: UUID | None
    delivery_id: UUID | None


@dataclass(slots=True)
class Report:
    """``gaps`` holds the first of each kind, ``totals`` how many there are."""

    alerts: int = 0
    alerts_waiting: int = 0
    counts: list[Count] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def deliveries(self) -> int:
        return sum(each.count for each in self.counts)

    @property
    def gap_count(self) -> int:
        return sum(self.totals.values())


@contextmanager
def _snapshot() -> Iterator[CursorWrapper]:
    """One state of the database for every query, and no change to it."""
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL jit = off")
        yield cursor


def audit(*, now: datetime, settled: bool = False, limit: int = 20) -> Report:
    """Look for every gap there is.

    Args:
        settled: count as a gap whatever is not at its end yet; for when nothing is to be under way.
        limit: gaps of each kind that are told in full; all are counted.
    """
    parameters: dict[str, Any] = {
        "settled": settled,
        "limit": limit,
        "overdue": now - OVERDUE,
        "fan_out_overdue": now - OVERDUE / 4,
        "blur": BLUR,
        "now": now,
        "longest_held": LONGEST_HELD,
        "instant": [channel.name for channel in registry.CHANNELS.values() if channel.instant],
    }
    report = Report()
    with _snapshot() as cursor:
        cursor.execute(ALERTS)
        report.alerts, report.alerts_waiting = cursor.fetchone()
        cursor.execute(COUNTS)
        report.counts = [Count(*row) for row in cursor.fetchall()]
        for sql in GAPS:
            cursor.execute(sql, parameters)
            for kind, total, *what in cursor.fetchall():
                report.totals[kind] = total
                report.gaps.append(Gap(kind, *what))
    return report
