"""Taking what an integration reports: groups are opened, counted and closed by key, and each is told once.

A body's occurrences are one transaction. Locks are taken in one order everywhere: groups by id, then the
processes by which they are told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.models import Shop
from config.bulk import rows_update
from escalation.groups import ending, jobs
from escalation.groups.matching import NOBODYS, Decision, Owner, decided, labels_of
from escalation.groups.selectors import routes_asked
from escalation.intake.occurrence import Act, Occurrence
from escalation.models import (
    AlertGroup,
    AlertOccurrence,
    GroupedAlert,
    IntakeRequest,
    Integration,
)
from notifications.models import Severity

log = structlog.get_logger(__name__)

State, Quiet = AlertGroup.State, AlertGroup.Quiet
_OPEN: Final = ~Q(state=State.RESOLVED)


class Made(NamedTuple):
    """What came of an occurrence.

    ``outcome``: opened, joined (a group that was open), counted, repeated, acknowledged, resolved, noted; or
    ignored, where there was nothing open to acknowledge or resolve, or it is of before what is known.
    """

    key: str
    act: str
    outcome: str
    group: UUID | None


@dataclass(slots=True)
class _Taking:
    """What one body is about, locked, and what is to be stored of it in the end."""

    integration: Integration | None
    now: datetime
    request: IntakeRequest | None
    decisions: dict[int, Decision]
    firing: dict[str, GroupedAlert]
    last: dict[str, GroupedAlert]
    groups: dict[UUID, AlertGroup]
    by_key: dict[str, AlertGroup]
    new_alerts: list[GroupedAlert] = field(default_factory=list)
    said: list[AlertOccurrence] = field(default_factory=list)
    changed_alerts: dict[UUID, GroupedAlert] = field(default_factory=dict)
    changed_groups: dict[UUID, AlertGroup] = field(default_factory=dict)


def occurrences_take(
    *,
    integration: Integration | None,
    occurrences: Sequence[Occurrence],
    now: datetime,
    request: IntakeRequest | None = None,
    owners: Mapping[str, Owner] | None = None,
) -> list[Made]:
    """Take what an integration reports, in this order; returns what came of each.

    Once it returns, all of it is stored. The same once more changes nothing: what is open is told once.

    Args:
        owners: by key, whose policy and shop counts for what comes from no integration.
    """
    owners = owners or {}
    routes = routes_asked()
    decisions: dict[int, Decision] = {}
    for number, each in enumerate(occurrences):
        if each.act == Act.TRIGGER:
            owner = owners.get(each.key, NOBODYS)
            labels = labels_of(each, integration, _severity_of(each, integration), owner)
            decisions[number] = decided(each, labels, routes=routes, integration=integration, owner=owner)
    while True:
        with transaction.atomic():
            taking = _locked(integration, occurrences, decisions, owners, request, now)
            if taking is not None:
                made = [_take(taking, number, each) for number, each in enumerate(occurrences)]
                _store(taking)
                if any(group.rings_at is not None for group in taking.changed_groups.values()):
                    transaction.on_commit(jobs.ring_soon, robust=True)
                return made
        # Another has opened or closed one of these groups since they were looked up.


def _locked(
    integration: Integration | None,
    occurrences: Sequence[Occurrence],
    decisions: dict[int, Decision],
    owners: Mapping[str, Owner],
    request: IntakeRequest | None,
    now: datetime,
) -> _Taking | None:
    """Open the groups that may be new, and lock all that this is about; None: look once more."""
    alerts = GroupedAlert.objects.filter(integration=integration, key__in={each.key for each in occurrences})
    firing, last = _known(alerts)
    wanted: dict[str, AlertGroup] = {}
    for number in _opening(occurrences, decisions, firing, last):
        occurrence, decision = occurrences[number], decisions[number]
        shop = integration.shop if integration else owners.get(occurrence.key, NOBODYS).shop
        wanted.setdefault(decision.key, _new_group(occurrence, decision, integration, shop, now))
    # By key, so that no two wait for each other.
    AlertGroup.objects.bulk_create([group for _, group in sorted(wanted.items())], ignore_conflicts=True)
    groups = AlertGroup.objects.filter(_OPEN).filter(
        Q(pk__in={alert.group_id for alert in firing.values()})
        | Q(integration=integration, key__in=list(wanted))
    )
    locked = list(groups.order_by("pk").select_for_update(of=("self",)).select_related("route", "process"))
    by_id, by_key = {group.pk: group for group in locked}, {group.key: group for group in locked}
    firing, last = _known(alerts)
    is_whole = all(
        decisions[number].key in by_key for number in _opening(occurrences, decisions, firing, last)
    )
    if not is_whole or not {alert.group_id for alert in firing.values()} <= by_id.keys():
        AlertGroup.objects.filter(pk__in=[group.pk for group in wanted.values()]).delete()
        return None
    return _Taking(
        integration=integration,
        now=now,
        request=request,
        decisions=decisions,
        firing=firing,
        last=last,
        groups=by_id,
        by_key=by_key,
    )


def _known(alerts: QuerySet[GroupedAlert]) -> tuple[dict[str, GroupedAlert], dict[str, GroupedAlert]]:
    """Return by key what is firing, and of the other keys what ended last."""
    newest = alerts.order_by("key", F("ended_at").desc(nulls_first=True)).distinct("key")
    firing: dict[str, GroupedAlert] = {}
    last: dict[str, GroupedAlert] = {}
    for alert in newest:
        (firing if alert.ended_at is None else last)[alert.key] = alert
    return firing, last


def _opening(
    occurrences: Sequence[Occurrence],
    decisions: Mapping[int, Decision],
    firing: Mapping[str, GroupedAlert],
    last: Mapping[str, GroupedAlert],
) -> Iterator[int]:
    """Yield the numbers of those that need a group: what is firing has one, until it is resolved."""
    resolved = {each.key for each in occurrences if each.act == Act.RESOLVE}
    for number in decisions:
        occurrence = occurrences[number]
        has_group = occurrence.key in firing and occurrence.key not in resolved
        if not has_group and not _is_of_before(occurrence, last.get(occurrence.key)):
            yield number


def _take(taking: _Taking, number: int, occurrence: Occurrence) -> Made:
    match occurrence.act:
        case Act.TRIGGER:
            outcome, alert = _trigger(taking, occurrence, taking.decisions[number])
        case Act.RESOLVE:
            outcome, alert = _resolve(taking, occurrence)
        case Act.ACKNOWLEDGE:
            outcome, alert = _acknowledge(taking, occurrence)
        case _:
            alert = taking.firing.get(occurrence.key)
            outcome = "noted" if alert else "ignored"
    if outcome != "repeated":
        taking.said.append(_said(taking, occurrence, alert))
    return Made(occurrence.key, occurrence.act, outcome, alert.group_id if alert else None)


def _trigger(taking: _Taking, occurrence: Occurrence, decision: Decision) -> tuple[str, GroupedAlert | None]:
    alert = taking.firing.get(occurrence.key)
    if alert is not None:
        if occurrence.at is not None and occurrence.at == alert.began_at:
            return "repeated", alert
        _count(taking, alert)
        return "counted", alert
    if _is_of_before(occurrence, taking.last.get(occurrence.key)):
        return "ignored", taking.last[occurrence.key]
    group = taking.by_key[decision.key]
    is_new = group.occurrences == 0
    alert = GroupedAlert(
        group=group,
        integration=taking.integration,
        key=occurrence.key,
        title=occurrence.title or occurrence.key[:200],
        link=occurrence.link,
        first_at=taking.now,
        last_at=taking.now,
        began_at=occurrence.at,
    )
    taking.new_alerts.append(alert)
    taking.firing[occurrence.key] = alert
    _count(taking, alert)
    if not is_new:
        _tell_of_more(group, taking.now)
    return "opened" if is_new else "joined", alert


def _count(taking: _Taking, alert: GroupedAlert) -> None:
    alert.occurrences += 1
    alert.last_at = taking.now
    group = taking.groups[alert.group_id]
    group.occurrences += 1
    group.last_at = taking.now
    taking.changed_groups[group.pk] = group
    if not alert._state.adding:
        taking.changed_alerts[alert.pk] = alert


def _tell_of_more(group: AlertGroup, now: datetime) -> None:
    """Have a group told once more, whoever has taken it: there is something new in it."""
    if group.route is None or group.told_at is None or group.rings_at is not None:
        return
    group.rings_at = max(now, group.told_at + timedelta(seconds=group.route.group_interval_s))
    group.state, group.acknowledged_at, group.quiet = State.OPEN, None, Quiet.WAITING


def _resolve(taking: _Taking, occurrence: Occurrence) -> tuple[str, GroupedAlert | None]:
    alert = taking.firing.get(occurrence.key)
    if alert is None or (occurrence.at and alert.began_at and occurrence.at < alert.began_at):
        return "ignored", None
    alert.ended_at = taking.now
    del taking.firing[occurrence.key]
    taking.last[occurrence.key] = alert
    if not alert._state.adding:
        taking.changed_alerts[alert.pk] = alert
    group = taking.groups[alert.group_id]
    taking.changed_groups[group.pk] = group
    return "resolved", alert


def _acknowledge(taking: _Taking, occurrence: Occurrence) -> tuple[str, GroupedAlert | None]:
    alert = taking.firing.get(occurrence.key)
    if alert is None:
        return "ignored", None
    group = taking.groups[alert.group_id]
    by = occurrence.by or _source(taking.integration)
    ending.acknowledge(group, by=by, via="intake", now=taking.now)
    taking.changed_groups[group.pk] = group
    return "acknowledged", alert


def _store(taking: _Taking) -> None:
    """Store what came of a body, and end the groups of which no alert is firing any more."""
    rows_update(taking.changed_alerts.values(), ["occurrences", "last_at", "ended_at"])
    # A key may be closed and opened anew in one body.
    GroupedAlert.objects.bulk_create(taking.new_alerts)
    AlertOccurrence.objects.bulk_create(taking.said)
    closed = {
        alert.group_id for alert in (*taking.changed_alerts.values(), *taking.new_alerts) if alert.ended_at
    }
    if closed:
        firing = GroupedAlert.objects.filter(group__in=closed, ended_at=None).values_list(
            "group_id", flat=True
        )
        over = [taking.groups[pk] for pk in closed - set(firing)]
        ending.resolve(over, by=_source(taking.integration), via="intake", now=taking.now)
    unused = [
        pk
        for pk, group in taking.groups.items()
        if group.occurrences == 0 and pk not in taking.changed_groups
    ]
    if unused:
        AlertGroup.objects.filter(pk__in=unused).delete()
    rows_update(taking.changed_groups.values(), ending.CHANGED)


def _new_group(
    occurrence: Occurrence,
    decision: Decision,
    integration: Integration | None,
    shop: Shop | None,
    now: datetime,
) -> AlertGroup:
    wait_s = decision.route.group_wait_s if decision.route else 0
    group = AlertGroup(
        integration=integration,
        shop=shop,
        key=decision.key,
        title=occurrence.title or occurrence.key[:200],
        severity=_severity_of(occurrence, integration),
        labels=dict(occurrence.labels),
        link=occurrence.link,
        opened_at=now,
        last_at=now,
        route=decision.route,
        policy=decision.policy,
        why=list(decision.why),
    )
    if decision.policy is None:
        group.quiet = Quiet.UNROUTED
        log.warning("alert_group_unrouted", group=str(group.pk))
    else:
        group.quiet = Quiet.WAITING if wait_s else Quiet.NO
        group.rings_at = now + timedelta(seconds=wait_s)
    return group


def _said(taking: _Taking, occurrence: Occurrence, alert: GroupedAlert | None) -> AlertOccurrence:
    return AlertOccurrence(
        integration=taking.integration,
        alert=alert,
        request=taking.request,
        key=occurrence.key,
        act=occurrence.act,
        details=occurrence.details,
        by=occurrence.by,
        at=occurrence.at,
        received_at=taking.now,
    )


def _is_of_before(occurrence: Occurrence, last: GroupedAlert | None) -> bool:
    """Whether it says what is over already: it began no later than what ended last under its key."""
    return bool(occurrence.at and last and last.began_at and occurrence.at <= last.began_at)


def _severity_of(occurrence: Occurrence, integration: Integration | None) -> str:
    return occurrence.severity or (integration.severity if integration else Severity.CRITICAL)


def _source(integration: Integration | None) -> str:
    return integration.name if integration else "its source"
