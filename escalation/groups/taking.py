"""Taking what an integration reports: groups are opened, counted and closed by key, and each is told once.

A body's occurrences are one transaction. Locks are taken in one order everywhere: groups by id, then the
processes by which they are told.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.ids import uuid7
from config.rows import rows_insert, rows_insert_reading, rows_update
from escalation.groups import ending, jobs, known
from escalation.groups.known import Alert, Group
from escalation.groups.matching import NOBODYS, Decision, Owner, decided, labels_of
from escalation.groups.selectors import routes_asked
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import (
    AlertGroup,
    AlertOccurrence,
    EscalationProcess,
    GroupedAlert,
    IntakeRequest,
    Integration,
)
from escalation.services.processes import process_acknowledge
from notifications.models import Severity

log = structlog.get_logger(__name__)

State, Quiet = AlertGroup.State, AlertGroup.Quiet
# What taking changes in a group, and in an alert.
_GROUP_CHANGES: Final = (
    "state", "quiet", "occurrences", "last_at", "rings_at", "acknowledged_at", "ended_by", "ended_via",
)  # fmt: skip
_ALERT_CHANGES: Final = ("occurrences", "last_at", "ended_at")


class Made(NamedTuple):
    """What came of an occurrence.

    ``outcome``: opened, joined (a group that was open), counted, repeated, acknowledged, resolved, noted; or
    ignored, where there was nothing open to acknowledge or resolve, or it is of before what is known.
    """

    key: str
    act: str
    outcome: str
    group: UUID | None


def occurrences_take(
    *,
    integration: Integration | None,
    occurrences: Sequence[Occurrence],
    now: datetime,
    request: IntakeRequest | None = None,
    owners: Mapping[str, Owner] | None = None,
) -> list[Made]:
    """Take what an integration reports, in this order; returns what came of each.

    Once it returns, all of it is stored, and so is the request. The same once more changes nothing: what is
    open is told once.

    Args:
        owners: by key, whose policy and shop counts for what comes from no integration.
    """
    owners = owners or {}
    routes = integration.routes if integration and integration.routes is not None else routes_asked()
    decisions: dict[int, Decision] = {}
    for number, each in enumerate(occurrences):
        if each.act == Act.TRIGGER:
            owner = owners.get(each.key, NOBODYS)
            labels = labels_of(each, integration, _severity_of(each, integration), owner)
            decisions[number] = decided(each, labels, routes=routes, integration=integration, owner=owner)
    keys = list({each.key for each in occurrences})
    group_keys = list({decision.key for decision in decisions.values()})
    while True:
        with transaction.atomic():
            taking = _Taking(
                integration=integration,
                now=now,
                owners=owners,
                keys=keys,
                groups={each.id: each for each in known.open_locked(integration, keys, group_keys)},
                newest=known.newest(integration, keys),
            )
            if taking.is_whole:
                made = [taking.take(each, decisions.get(number)) for number, each in enumerate(occurrences)]
                if taking.store(request, made):
                    return made
            # Another has opened or closed one of these meanwhile.
            transaction.set_rollback(True)


@dataclass(slots=True)
class _Taking:
    """What one body is about, locked, and what is to be stored of it in the end."""

    integration: Integration | None
    now: datetime
    owners: Mapping[str, Owner]
    keys: Sequence[str]
    groups: dict[UUID, Group]
    newest: dict[str, Alert]
    firing: dict[str, Alert] = field(init=False)
    last: dict[str, Alert] = field(init=False)
    by_key: dict[str, Group] = field(init=False)
    changed_groups: dict[UUID, Group] = field(default_factory=dict)
    changed_alerts: dict[UUID, Alert] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: dict[UUID, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.firing = {key: alert for key, alert in self.newest.items() if alert.ended_at is None}
        self.last = {key: alert for key, alert in self.newest.items() if alert.ended_at is not None}
        self.by_key = {group.key: group for group in self.groups.values()}

    @property
    def is_whole(self) -> bool:
        """Whether the groups of all that fires are locked."""
        return {alert.group_id for alert in self.firing.values()} <= self.groups.keys()

    def take(self, occurrence: Occurrence, decision: Decision | None) -> Made:
        """Take one occurrence; ``decision`` is that of a trigger."""
        alert = self.firing.get(occurrence.key)
        if decision is not None:
            outcome, alert = self._trigger(occurrence, decision)
        elif alert is None:
            outcome = "ignored"
        elif occurrence.act == Act.RESOLVE:
            outcome, alert = self._resolve(occurrence, alert)
        elif occurrence.act == Act.ACKNOWLEDGE:
            outcome = self._acknowledge(occurrence, alert)
        else:
            outcome = "noted"
        if outcome != "repeated":
            self._say(occurrence, alert)
        return Made(occurrence.key, occurrence.act, outcome, alert.group_id if alert else None)

    def store(self, request: IntakeRequest | None, made: Sequence[Made]) -> bool:
        """Store what came of a body, and end the groups of which no alert is firing any more.

        False: another has opened one of these groups or alerts meanwhile, and all of it is to be undone.
        """
        # By key, so that no two wait for each other.
        groups = sorted(self.changed_groups.values(), key=attrgetter("key"))
        alerts = sorted(self.changed_alerts.values(), key=attrgetter("key"))
        new_groups = [known.as_row(group) for group in groups if group.more]
        new_alerts = [known.as_row(alert) for alert in alerts if alert.more]
        if rows_insert((AlertGroup, new_groups)) != [len(new_groups)]:
            return False
        rows_update(AlertGroup, [group for group in groups if not group.more], _GROUP_CHANGES)
        rows_update(GroupedAlert, [alert for alert in alerts if not alert.more], _ALERT_CHANGES)
        requests = [] if request is None else [self._kept(request, made)]
        tables = (GroupedAlert, new_alerts), (AlertOccurrence, self.said), (IntakeRequest, requests)
        if new_alerts:
            # From here on nobody else opens these, but until now another may have opened and closed them.
            read = known.ids_newest_read(self.integration, self.keys)
            newest, (stored, *_) = rows_insert_reading(*read, *tables)
            was = {str(alert.id) for alert in self.newest.values()}
            if stored != len(new_alerts) or set(newest or ()) != was:
                return False
        else:
            rows_insert(*tables)
        if self.acknowledged:
            for process in EscalationProcess.objects.filter(pk__in=self.acknowledged).order_by("pk"):
                by = self.acknowledged[process.pk]
                process_acknowledge(process=process, by=by, via="intake", now=self.now)
        self._end([alert.group_id for alert in alerts if alert.ended_at])
        if any(group.rings_at is not None for group in groups):
            transaction.on_commit(jobs.ring_soon, robust=True)
        return True

    def _trigger(self, occurrence: Occurrence, decision: Decision) -> tuple[str, Alert]:
        alert = self.firing.get(occurrence.key)
        if alert is not None:
            if alert.is_repeated_by(occurrence.at):
                return "repeated", alert
            self._count(alert)
            return "counted", alert
        last = self.last.get(occurrence.key)
        if last and last.covers(occurrence.at):
            return "ignored", last
        group = self.by_key.get(decision.key)
        if group is None:
            outcome, group = "opened", self._open(occurrence, decision)
        else:
            outcome = "joined"
            self._tell_of_more(group)
        alert = self.firing[occurrence.key] = Alert(
            id=uuid7(),
            group_id=group.id,
            key=occurrence.key,
            last_at=self.now,
            began_at=occurrence.at,
            more={
                "integration_id": self._integration_id,
                "title": _title_of(occurrence),
                "link": occurrence.link,
                "first_at": self.now,
            },
        )
        self._count(alert)
        return outcome, alert

    def _open(self, occurrence: Occurrence, decision: Decision) -> Group:
        owner = self.owners.get(occurrence.key, NOBODYS)
        shop_id = self.integration.shop_id if self.integration else owner.shop and owner.shop.pk
        wait_s = decision.route.group_wait_s if decision.route else 0
        group = Group(
            id=uuid7(),
            key=decision.key,
            last_at=self.now,
            state=State.OPEN,
            quiet=Quiet.WAITING if wait_s else Quiet.NO,
            rings_at=self.now + timedelta(seconds=wait_s),
            more={
                "integration_id": self._integration_id,
                "shop_id": shop_id,
                "title": _title_of(occurrence),
                "severity": _severity_of(occurrence, self.integration),
                "labels": occurrence.labels,
                "link": occurrence.link,
                "opened_at": self.now,
                "route_id": decision.route and decision.route.pk,
                "policy_id": decision.policy and decision.policy.pk,
                "why": decision.why,
                "is_storm": False,
            },
        )
        if decision.policy is None:
            group.quiet, group.rings_at = Quiet.UNROUTED, None
            log.warning("alert_group_unrouted", group=str(group.id))
        self.groups[group.id] = self.by_key[group.key] = group
        return group

    def _count(self, alert: Alert) -> None:
        for each in (alert, self.groups[alert.group_id]):
            each.occurrences += 1
            each.last_at = self.now
        self._change(alert)

    def _tell_of_more(self, group: Group) -> None:
        """Have a group told once more, whoever has taken it: there is something new in it."""
        if group.group_interval_s is None or group.told_at is None or group.rings_at is not None:
            return
        group.rings_at = max(self.now, group.told_at + timedelta(seconds=group.group_interval_s))
        group.state, group.acknowledged_at, group.quiet = State.OPEN, None, Quiet.WAITING

    def _resolve(self, occurrence: Occurrence, alert: Alert) -> tuple[str, Alert | None]:
        if not alert.is_ended_by(occurrence.at):
            return "ignored", None
        alert.ended_at = self.now
        self.last[occurrence.key] = self.firing.pop(occurrence.key)
        self._change(alert)
        return "resolved", alert

    def _acknowledge(self, occurrence: Occurrence, alert: Alert) -> str:
        group = self.groups[alert.group_id]
        by = occurrence.by or self._source
        ending.mark_acknowledged(group, by=by, via="intake", now=self.now)
        if group.process_id is not None:
            self.acknowledged[group.process_id] = by
        self._change(alert)
        return "acknowledged"

    def _change(self, alert: Alert) -> None:
        self.changed_alerts[alert.id] = alert
        self.changed_groups[alert.group_id] = self.groups[alert.group_id]

    def _say(self, occurrence: Occurrence, alert: Alert | None) -> None:
        self.said.append(
            {
                "integration_id": self._integration_id,
                "alert_id": alert and alert.id,
                "key": occurrence.key,
                "act": occurrence.act,
                "details": occurrence.details,
                "by": occurrence.by,
                "at": occurrence.at,
                "received_at": self.now,
            }
        )

    def _kept(self, request: IntakeRequest, made: Sequence[Made]) -> dict[str, Any]:
        """Return what is stored of the request, and say in all that came of it that it was in it."""
        request.made = [each._asdict() for each in made]
        for each in self.said:
            each["request_id"] = request.pk
        return {field.attname: getattr(request, field.attname) for field in request._meta.concrete_fields}

    def _end(self, groups: Collection[UUID]) -> None:
        """Close those of some groups in which nothing fires any more."""
        if not groups:
            return
        firing = GroupedAlert.objects.filter(group=OuterRef("pk"), ended_at=None)
        over = AlertGroup.objects.filter(~Exists(firing), pk__in=groups).select_related("process")
        closed = list(over.order_by("pk"))
        ending.resolve(closed, by=self._source, via="intake", now=self.now)
        rows_update(AlertGroup, closed, ending.CHANGED)

    @property
    def _integration_id(self) -> UUID | None:
        return self.integration.pk if self.integration else None

    @property
    def _source(self) -> str:
        return self.integration.name if self.integration else "its source"


def _severity_of(occurrence: Occurrence, integration: Integration | None) -> str:
    return occurrence.severity or (integration.severity if integration else Severity.CRITICAL)


def _title_of(occurrence: Occurrence) -> str:
    return occurrence.title or occurrence.key[:200]
