"""The console's panels: what rings and who has it, who is on call, and heartbeats."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy

from escalation.holes.reading import holes_soon
from escalation.models import AlertGroup, EscalationProcess, Heartbeat, Schedule
from escalation.policies.words import name_of
from escalation.schedules.row import on_call
from escalation.schedules.selectors import people_by_id, roster_of, with_layers
from escalation.selectors import deliveries_of
from notifications.models import Severity
from notifications.web.console.panels import PEOPLE, RINGING, WORKING, Panel

#: Of each kind, a panel shows so many.
MOST: Final = 50
MOST_SCHEDULES: Final = 20
# Of what is still to be sent by all that rings, so many are looked through for the next.
_MOST_DUE: Final = 500


@dataclass(frozen=True, slots=True)
class Ringing:
    """Something that is open: a group, or an escalation by itself. ``who`` has taken it, if anybody has."""

    id: UUID
    title: str
    url: str
    since: datetime
    severity: str
    who: str
    acknowledge_url: str
    goes_on_at: datetime | None
    process_id: UUID | None

    @property
    def rank(self) -> tuple[bool, bool, datetime]:
        """What needs somebody comes first, then what is critical, then what has rung the longest."""
        return (bool(self.who), self.severity != Severity.CRITICAL, self.since)


def ringing(now: datetime) -> Mapping[str, Any]:
    groups = AlertGroup.objects.exclude(state=AlertGroup.State.RESOLVED).filter(storm=None)
    shown = list(groups.order_by("-state", "opened_at")[: MOST + 1])
    active = EscalationProcess.objects.filter(
        Q(state=EscalationProcess.State.ACTIVE) | Q(resume_at__isnull=False)
    )
    # Those of groups are shown as the groups that they tell of. Of a drill, each takes their own.
    alone = active.filter(groups=None, is_drill=False).order_by("started_at")[: MOST + 1]
    found = sorted([*map(_group, shown), *map(_process, alone)], key=lambda each: each.rank)
    next_due = _next_due([each.process_id for each in found[:MOST] if each.process_id and not each.who])
    return {
        "ringing": [(each, next_due.get(str(each.process_id))) for each in found[:MOST]],
        "has_more": len(found) > MOST,
    }


def _group(group: AlertGroup) -> Ringing:
    is_open = group.state == AlertGroup.State.OPEN
    return Ringing(
        id=group.pk,
        title=group.title,
        url=reverse("escalation:group", args=[group.pk]),
        since=group.opened_at,
        severity=group.severity,
        who="" if is_open else group.ended_by or "somebody",
        acknowledge_url=reverse("escalation:group-acknowledge", args=[group.pk]) if is_open else "",
        goes_on_at=group.rings_at,
        process_id=group.process_id,
    )


def _process(process: EscalationProcess) -> Ringing:
    is_open = process.is_active
    return Ringing(
        id=process.pk,
        title=process.process_id,
        url=reverse("escalation:timeline", args=[process.pk]),
        since=process.started_at,
        severity=process.severity,
        who="" if is_open else process.ended_by or "somebody",
        acknowledge_url=reverse("escalation:acknowledge", args=[process.pk]) if is_open else "",
        goes_on_at=process.next_round_at if is_open else process.resume_at,
        process_id=process.pk,
    )


def _next_due(processes: Iterable[UUID]) -> dict[str, tuple[datetime, str, str]]:
    """Return when each of these tells somebody next: when, by which channel, and whom."""
    waiting = deliveries_of(*processes).filter(outgoing__isnull=False).order_by("-outgoing__due_at")
    rows = waiting.select_related("notification", "user", "outgoing")[:_MOST_DUE]
    return {
        each.notification.source_id: (each.outgoing.due_at, each.channel, name_of(each.user)) for each in rows
    }


def on_call_now(now: datetime) -> Mapping[str, Any] | None:
    named = Schedule.objects.filter(deleted_at=None).order_by("name")
    shown = list(with_layers(named[: MOST_SCHEDULES + 1], since=now - timedelta(days=1)))
    if not shown:
        return None
    rows = []
    for schedule in shown[:MOST_SCHEDULES]:
        duty, people = on_call(roster_of(schedule), now), people_by_id(schedule)
        names = [name_of(people[user_id]) for user_id in duty.user_ids if user_id in people] if duty else []
        rows.append((schedule, ", ".join(names), duty.ends_at if duty else None))
    holes = holes_soon(now).count()
    return {"rows": rows, "has_more": len(shown) > MOST_SCHEDULES, "holes": holes}


def heartbeats(now: datetime) -> Mapping[str, Any] | None:
    down = Heartbeat.objects.filter(state=Heartbeat.State.DOWN).order_by("name")[: MOST + 1]
    late = Heartbeat.objects.filter(state=Heartbeat.State.UP, expected_at__lt=now).order_by("due_at")[:MOST]
    found = list(down)
    if not found and not late and not Heartbeat.objects.exists():
        return None
    return {"down": found[:MOST], "has_more": len(found) > MOST, "late": late}


PANELS: Final = (
    Panel("ringing", gettext_lazy("What rings"), "escalation/console/_ringing.html", ringing, RINGING),
    Panel(
        "heartbeats",
        gettext_lazy("Heartbeats"),
        "escalation/console/_heartbeats.html",
        heartbeats,
        WORKING + 1,
    ),
    Panel("on-call", gettext_lazy("On call"), "escalation/console/_on_call.html", on_call_now, PEOPLE),
)
