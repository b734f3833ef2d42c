"""Proves conservation: whoever was to be told of an alert has exactly one delivery, and each is explained.

Works out whom an alert concerns anew, by rules of its own: what the fan-out did is not trusted. Set-based, so
that a million deliveries take seconds; with a snapshot for each day, since the queue suffers from long ones
(docs/adr/0025). Apps have their own rows audited along with it (notifications.audited).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from notifications import allowances, audit_days, audited
from notifications.archive import reading
from notifications.archive.faults import ArchiveError
from notifications.audit_days import Counted
from notifications.audit_sql import ALERTS, COUNTS, GAPS
from notifications.channels import registry
from notifications.history.month import Month
from notifications.models import ArchivedMonth
from notifications.reasons import Reason
from notifications.snapshots import snapshot

# What has waited for so long past its time is not merely in progress.
OVERDUE = timedelta(minutes=1)
# Who joined, or changed something, within so little of an alert may have been seen either way by the
# fan-out: clocks of two machines differ, and a change is dated before it is committed.
BLUR = timedelta(seconds=1)
# Quiet hours last less than a day, but for an hour that the clock shows twice; and a digest has its minute.
LONGEST_HELD = timedelta(hours=25, minutes=1)

EXPLANATIONS = {
    "not_fanned_out": "The alert was accepted, and no deliveries were made for it.",
    "missing": "Somebody who should have been told has no delivery.",
    "told_twice": "The alert has more than one notification, so people may have been told twice.",
    "no_alert": "The delivery is for an alert that does not exist.",
    "stranger": "The delivery is to somebody who never worked at the alert's shop.",
    "wrong_contact_point": "The delivery is to somebody else's contact point.",
    "contact_point_not_there": "The delivery is to a contact point that did not exist at the time.",
    "default_despite_contact_point": "The default channel was used for somebody with a contact point.",
    "level_ignored": "Somebody who wants only critical alerts was told of another one.",
    "level_misread": "Suppressed by level, though this person's level and this alert don't call for it.",
    "rule_ignored": "Somebody was told by a channel that a rule of theirs switches off for alerts.",
    "rule_misread": "Suppressed as unsubscribed, though a rule for this very channel and kind says yes.",
    "grouped_misread": "Suppressed as grouped, though people were to be told of this very alert.",
    "group_ignored": "Somebody was told of an alert that is grouped with another.",
    "critical_held": "Held for quiet hours, though it is critical.",
    "held_too_long": "Held for longer than any quiet hours last.",
    "digest_missing": "Suppressed for a digest that does not exist or went elsewhere.",
    "item_missing": "Sent to an inbox, but it is not there.",
    "item_unsent": "It is in an inbox, but was not sent there.",
    "sent_without_attempt": "Sent, but no attempt says so.",
    "failed_without_reason": "Failed, though its last attempt did not.",
    "suppressed_without_reason": "Suppressed without a reason, or after an attempt.",
    "ended_without_reason": "Cancelled or expired without a reason.",
    "queue_disagrees": "Pending and not in the queue, or in the queue and not pending.",
    "overdue": "Due long ago, or its lease was lost long ago, and no worker took it up.",
    "unsettled": "Still pending or being sent.",
    "attempts_miscounted": "The attempts on record do not match the count.",
    "archive_disagrees": "The archive no longer holds a dropped month as it was archived.",
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
    month: str | None = None
    about: str | None = None

    def __str__(self) -> str:
        if self.about:
            return self.about
        parts = {
            "alert": self.alert_uuid,
            "user": self.user_id,
            "contact point": self.contact_point_id,
            "delivery": self.delivery_id,
            "month": self.month,
        }
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value)


# What apps' gaps name is in their sentence alone.
_NOTHING = (None,) * 5


def explanations() -> dict[str, str]:
    """Return a sentence for each kind of gap, those of apps among them."""
    others = [part.explanations for part in audited.registered]
    return {kind: sentence for each in (EXPLANATIONS, *others) for kind, sentence in each.items()}


@dataclass(slots=True)
class Report:
    """``gaps`` holds the first of each kind, ``totals`` how many there are.

    ``days_known`` and ``months_archived`` are those whose counts are in it without being looked at again.
    ``months_cut`` are not: a part was asked for of what the archive alone has, and counts by the month.
    ``others`` counts what apps have audited, by what it is called.
    """

    alerts: int = 0
    alerts_waiting: int = 0
    counts: list[Count] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    days_known: int = 0
    months_archived: int = 0
    months_cut: list[Month] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def add(self, alerts: int, counts: Iterable[Sequence[Any]]) -> None:
        """Add what there is of a day or month."""
        self.alerts += alerts
        total = Counter({(each.status, each.reason): each.count for each in self.counts})
        total.update({(status, reason): count for status, reason, count in counts})
        self.counts = [Count(*key, count) for key, count in sorted(total.items())]

    def add_gaps(self, rows: Iterable[Sequence[Any]], limit: int) -> None:
        """Add gaps: kind, how many of these there are, and what each is about."""
        counted = dict(self.totals)
        for kind, total, *what in rows:
            self.totals[kind] = counted.get(kind, 0) + total
            if sum(gap.kind == kind for gap in self.gaps) < limit:
                self.gaps.append(Gap(kind, *what))

    @property
    def deliveries(self) -> int:
        return sum(each.count for each in self.counts)

    @property
    def gap_count(self) -> int:
        return sum(self.totals.values())


def audit(
    *,
    now: datetime,
    settled: bool = False,
    limit: int = 20,
    since: date | None = None,
    until: date | None = None,
    remember: bool = False,
    anew: bool = False,
) -> Report:
    """Look for every gap there is, day by day: no snapshot is held for longer than one of them takes.

    Args:
        settled: count as a gap whatever is not at its end yet; for when nothing is to be under way.
        limit: gaps of each kind that are told in full; all are counted.
        since, until: the days to look at, the last one left out; by default all. Those in the archive count.
        remember: remember the days that are over, settled and clean, and skip those that are known to be;
            what was counted of them counts.
        anew: skip none.
    """
    report = Report()
    asked = audited.Asked(now=now, limit=limit, since=since, until=until)
    for part in audited.registered:
        for found in part.look(asked):
            report.others.update(found.counts)
            report.add_gaps([(kind, total, *_NOTHING, about) for kind, total, about in found.gaps], limit)
    parameters: dict[str, Any] = {
        "settled": settled,
        "limit": limit,
        "overdue": now - OVERDUE,
        "fan_out_overdue": now - OVERDUE / 4,
        "blur": BLUR,
        "now": now,
        "longest_held": LONGEST_HELD,
        "instant": [channel.name for channel in registry.CHANNELS.values() if channel.instant],
        "withheld": [*allowances.REASONS.values(), Reason.NUMBER_REFUSED],
    }
    remember = remember and audit_days.can_remember()
    known = audit_days.known() if remember and not anew else {}
    _add_archived(report, since=since or date.min, until=until or date.max)
    for span in audit_days.spans(now=now, since=since, until=until):
        if span.day in known:
            report.add(*known[span.day])
            report.days_known += 1
            continue
        counted, is_clean = _look_at(report, {**parameters, **span.parameters})
        if remember:
            audit_days.remember(span, counted, is_clean=is_clean, now=now)
    if remember:
        audit_days.forget_the_dropped()
    return report


def _look_at(report: Report, parameters: dict[str, Any]) -> tuple[Counted, bool]:
    """Add a day to the report; returns its counts, and whether all of it has ended and has no gap."""
    with snapshot() as cursor:
        cursor.execute(ALERTS, parameters)
        alerts, waiting = cursor.fetchone()
        cursor.execute(COUNTS, parameters)
        counts = cursor.fetchall()
        gaps: list[tuple[Any, ...]] = []
        for sql in GAPS:
            cursor.execute(sql, parameters)
            gaps += cursor.fetchall()
    report.add(alerts, counts)
    report.alerts_waiting += waiting
    report.add_gaps(gaps, parameters["limit"])
    is_settled = not waiting and all(status != "pending" for status, _, _ in counts)
    return (alerts, counts), is_settled and not gaps


def _add_archived(report: Report, *, since: date, until: date) -> None:
    """Add the months that are in the archive alone, as their manifests count them."""
    rows = {row.month: row for row in ArchivedMonth.objects.order_by("number")}
    for row in rows.values():
        month = Month(row.month)
        after = month.following.first
        if month.first >= until or after <= since:
            continue
        first = audit_days.first_from(month.start)
        if first is not None and first < month.end:
            continue
        if month.first < since or after > until:
            report.months_cut.append(month)
            continue
        report.add(row.alerts, row.counts)
        report.months_archived += 1
        try:
            of = reading.manifest_of(row)
            agrees = of.alerts == row.alerts and [list(each) for each in of.counts] == row.counts
        except ArchiveError:
            agrees = False
        if not agrees:
            report.add_gaps([("archive_disagrees", 1, None, None, None, None, str(month))], limit=len(rows))
