"""When a group is told: what holds it back is asked first, and past a rate one summary tells of all."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from config import sql
from config.rows import rows_update
from escalation.groups import ending
from escalation.groups.matching import labels_of_group
from escalation.groups.selectors import silences_begun
from escalation.groups.silences import silenced
from escalation.models import AlertGroup, Entry, EscalationProcess, Policy, Silence
from escalation.policies.selectors import newest_version
from escalation.services.policies import planned
from escalation.services.processes import process_start
from escalation.timelines.entries import entry_add, held_add
from notifications import looks
from notifications.models import Severity

log = structlog.get_logger(__name__)

State, Quiet = AlertGroup.State, AlertGroup.Quiet
ANY_DUE: Final = looks.first("escalation_alertgroup WHERE rings_at <= %(now)s", by="rings_at")
#: A storm begins with so many groups of one policy told within so long …
STORM_WINDOW: Final = timedelta(minutes=1)
#: … gathers for so long before its summary is told …
STORM_GATHERS: Final = timedelta(seconds=5)
#: … and takes new groups in until none has come for so long.
STORM_CALM: Final = timedelta(minutes=10)
#: What opened so many times within so long flaps: it is told once it has stayed open for as long.
FLAPS: Final = 4
FLAP_WINDOW: Final = timedelta(minutes=15)
#: Where a policy would tell nobody, it is asked again so long afterwards.
ASK_AGAIN: Final = timedelta(minutes=1)
# Groups of one look; the next goes on.
_MOST: Final = 1000
# Two that decide at once would each let a storm's rate through.
_ONE_DECIDES: Final = 7_061_700


def look(now: datetime) -> None:
    """Tell the groups that are due, unless something holds them back, and close the storms that are over."""
    ending.storms_end(via="intake", now=now)
    while due := _decide(now):
        for pk in due:
            try:
                _ring(pk, now)
            except Exception as error:  # those after it are to be told all the same
                if looks.is_away(error):
                    raise
                log.exception("alert_group_not_told", group=str(pk))
                AlertGroup.objects.filter(pk=pk, rings_at__lte=now).update(rings_at=now + ASK_AGAIN)


def one_decides() -> None:
    """Wait until nobody else decides what is told, or stores a silence, until the transaction ends."""
    sql.lock(_ONE_DECIDES)


def _decide(now: datetime) -> list[UUID]:
    """Say of each group that is due what holds it back; return those to be told."""
    with transaction.atomic():
        one_decides()
        groups = AlertGroup.objects.filter(rings_at__lte=now).order_by("pk")
        locked = groups.select_for_update(of=("self",), skip_locked=True)
        due = list(locked.select_related("integration", "shop", "process", "policy")[:_MOST])
        if not due:
            return []
        silences = silences_begun(now)
        loud = [group for group in due if not _is_held(group, silences, now)]
        told = _without_storms(loud, now)
        rows_update(AlertGroup, due, ending.CHANGED)
        held_add(set(due).difference(loud), now=now)
    return [group.pk for group in told]


def _is_held(group: AlertGroup, silences: Sequence[Silence], now: datetime) -> bool:
    """Whether a group that is due is not to be told now; says why, and when it is looked at again."""
    if group.is_storm and group.process_id is not None:
        group.rings_at = now + ASK_AGAIN  # it may be over, and who was to close it lost
        return True
    if group.state != State.OPEN and group.quiet != Quiet.SNOOZED:
        group.rings_at = None
        return True
    process = group.process
    if process and group.quiet == Quiet.NO and process.state == EscalationProcess.State.ACKNOWLEDGED:
        group.state, group.acknowledged_at, group.rings_at = State.ACKNOWLEDGED, process.acknowledged_at, None
        return True
    if hold_silenced(group, silences, by="", now=now):
        return True
    group.silence = None
    if group.quiet != Quiet.FLAPPING and group.told_at is None and _flaps(group, now):
        group.quiet, group.rings_at = Quiet.FLAPPING, now + FLAP_WINDOW
        return True
    return False


def hold_silenced(group: AlertGroup, silences: Sequence[Silence], *, by: str, now: datetime) -> bool:
    """Hush a group that is locked if one of these holds now, until it is over; the caller stores it."""
    found = silenced(labels_of_group(group), silences, now)
    if found:
        ending.hush(group, by=by, via="silence", now=now)
        group.quiet, group.silence, group.rings_at = Quiet.SILENCED, found.silence, found.until
    return found is not None


def _flaps(group: AlertGroup, now: datetime) -> bool:
    same = AlertGroup.objects.filter(
        integration=group.integration_id, key=group.key, opened_at__gt=now - FLAP_WINDOW
    )
    return same.count() >= FLAPS


def _without_storms(loud: Sequence[AlertGroup], now: datetime) -> list[AlertGroup]:
    """Return those told by themselves; where a policy has too many, its storm takes them in."""
    told: list[AlertGroup] = []
    of_policy: dict[UUID, list[AlertGroup]] = defaultdict(list)
    for group in loud:
        if group.policy_id is None or group.is_storm:
            told.append(group)
        else:
            of_policy[group.policy_id].append(group)
    recent = Counter(
        AlertGroup.objects.filter(policy__in=of_policy, told_at__gt=now - STORM_WINDOW, is_storm=False)
        .exclude(pk__in=[group.pk for group in loud])
        .values_list("policy_id", flat=True)
    )
    under_way = AlertGroup.objects.filter(is_storm=True, policy__in=of_policy, last_at__gt=now - STORM_CALM)
    under_way = under_way.exclude(state=State.RESOLVED).select_for_update(of=("self",))
    storms = {storm.policy_id: storm for storm in under_way}
    for policy_id, groups in of_policy.items():
        storm = storms.get(policy_id)
        if storm is None and recent[policy_id] + len(groups) <= settings.STORM_GROUPS:
            told += groups
            continue
        storm = storm or _storm(groups[0].policy, now)
        for group in groups:
            group.quiet, group.storm, group.rings_at = Quiet.STORM, storm, None
        AlertGroup.objects.filter(pk=storm.pk).update(last_at=now)
    for group in told:
        group.told_at = now
    return told


def _storm(policy: Policy | None, now: datetime) -> AlertGroup:
    """Return the storm of a policy that takes groups in; one that had calmed begins anew."""
    assert policy is not None
    calmed = AlertGroup.objects.filter(key=f"storm:{policy.pk}", integration=None)
    calmed.exclude(state=State.RESOLVED).update(key=f"storm:{policy.pk}:{now.timestamp():.0f}")
    log.warning("alert_storm", policy=str(policy.pk))
    return AlertGroup.objects.create(
        key=f"storm:{policy.pk}",
        title=f"Many alerts at once ({policy.name})"[:200],
        severity=Severity.CRITICAL,
        opened_at=now,
        last_at=now,
        policy=policy,
        is_storm=True,
        rings_at=now + STORM_GATHERS,
        why=[f"More than {settings.STORM_GROUPS} groups of “{policy.name}” within a minute: one summary."],
    )


def _ring(pk: UUID, now: datetime) -> None:
    """Start the process of a group that is to be told, unless it was closed or held back since."""
    with transaction.atomic():
        one_decides()
        due = AlertGroup.objects.select_for_update(of=("self",)).filter(pk=pk, rings_at__lte=now)
        group = due.select_related("policy", "route", "process", "integration", "shop").first()
        if group is None:
            return
        if hold_silenced(group, silences_begun(now), by="", now=now):
            held_add([group], now=now)  # since it was decided
        elif group.policy is None or group.policy.deleted_at is not None:
            group.quiet, group.rings_at = Quiet.UNROUTED, None
            log.error("alert_group_unrouted", group=str(group.pk))
        else:
            _start(group, group.policy, now)
        group.save(update_fields=ending.CHANGED)


def _start(group: AlertGroup, policy: Policy, now: datetime) -> None:
    if group.is_storm:
        group.title = _summary(group)
    version = newest_version(policy)
    process_id = f"{group.title[:180]} #{group.pk.hex[-8:]}"
    severity = Severity.STANDARD if group.severity == Severity.STANDARD else version.severity
    try:
        plan = planned(version, started_at=now, process_id=process_id, severity=severity)
    except ValidationError:  # it is logged there
        group.quiet, group.rings_at = Quiet.NOBODY, now + ASK_AGAIN
        return
    started = process_start(
        process_id=process_id, now=now, policy_version=version, severity=severity, **plan._asdict()
    )
    repeat_s = group.route.repeat_interval_s if group.route else 0
    group.process, group.quiet, group.state, group.told_at = started.process, Quiet.NO, State.OPEN, now
    group.rings_at = now + timedelta(seconds=repeat_s) if repeat_s else None
    if group.is_storm:
        group.rings_at = now + ASK_AGAIN
    if started.created:
        entry_add(kind=Entry.Kind.TOLD, at=now, group=group, process=started.process)
    log.info("alert_group_told", group=str(group.pk), process=str(started.process.pk))


def _summary(storm: AlertGroup) -> str:
    """Return what a storm's call says: how many there are, and the first of them."""
    stormed = storm.stormed.exclude(state=State.RESOLVED).order_by("opened_at", "pk")
    titles = list(stormed.values_list("title", flat=True)[:3])
    return f"{stormed.count()} alerts at once: {', '.join(titles)}"[:200]
