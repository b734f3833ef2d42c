"""How groups are taken by somebody, put off and closed, and who is told of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.dispatch import receiver

from config import clock
from escalation.groups.known import Group
from escalation.models import AlertGroup, Entry, EscalationProcess, GroupedAlert
from escalation.services.processes import process_acknowledge, process_stop
from escalation.signals import process_ended
from escalation.timelines.entries import entry_add
from notifications.engine.fanout import notify, people
from notifications.messages.compose import notification_of

log = structlog.get_logger(__name__)

State, Quiet = AlertGroup.State, AlertGroup.Quiet
#: The kind of the notice that something is over.
RESOLVED: Final = "escalation.resolved"
#: What taking, ringing and ending change in a group.
CHANGED: Final = (
    "state", "quiet", "title", "occurrences", "last_at", "rings_at", "told_at", "acknowledged_at",
    "resolved_at", "ended_by", "ended_via", "silence", "storm", "process",
)  # fmt: skip


def group_acknowledge(*, group: AlertGroup, by: str, via: str, now: datetime) -> bool:
    """Say that somebody takes care of a group: nobody more is told. False where it is over."""
    with transaction.atomic():
        locked = AlertGroup.objects.select_for_update(of=("self",)).get(pk=group.pk)
        if locked.state == State.RESOLVED:
            return False
        if locked.process is not None:
            process_acknowledge(process=locked.process, by=by, via=via, now=now)
        mark_acknowledged(locked, by=by, via=via, now=now)
        locked.save(update_fields=CHANGED)
        entry_add(kind=Entry.Kind.ACKNOWLEDGED, at=now, group=locked, by=by, via=via)
    return True


def group_resolve(*, group: AlertGroup, by: str, via: str, now: datetime) -> bool:
    """Close a group, whatever is firing in it; False where it is over already."""
    with transaction.atomic():
        locked = AlertGroup.objects.select_for_update(of=("self",)).get(pk=group.pk)
        if locked.state == State.RESOLVED:
            return False
        GroupedAlert.objects.filter(group=locked, ended_at=None).update(ended_at=now)
        resolve([locked], by=by, via=via, now=now)
        locked.save(update_fields=CHANGED)
    return True


def group_snooze(*, group: AlertGroup, until: datetime, by: str, via: str, now: datetime) -> bool:
    """Put a group off: it is told again at that time, unless it is over by then. False where it is over."""
    with transaction.atomic():
        locked = AlertGroup.objects.select_for_update(of=("self",)).get(pk=group.pk)
        if locked.state == State.RESOLVED:
            return False
        hush(locked, by=by, via=via, now=now)
        locked.quiet, locked.rings_at = Quiet.SNOOZED, until
        locked.ended_by, locked.ended_via = by[:200], via
        locked.save(update_fields=CHANGED)
        entry_add(kind=Entry.Kind.SNOOZED, at=now, group=locked, by=by, via=via, until=until)
    return True


def mark_acknowledged(group: AlertGroup | Group, *, by: str, via: str, now: datetime) -> None:
    """Say in a group that is locked that somebody takes care of it; the caller stores it."""
    group.state, group.acknowledged_at, group.rings_at = State.ACKNOWLEDGED, now, None
    group.ended_by, group.ended_via = by[:200], via


def resolve(groups: Sequence[AlertGroup], *, by: str, via: str, now: datetime) -> None:
    """Close groups that are locked, and a storm with the last of its groups; the caller stores them."""
    for group in groups:
        told = hush(group, by=by, via=via, now=now)
        group.state, group.resolved_at, group.rings_at = State.RESOLVED, now, None
        group.ended_by, group.ended_via = by[:200], via
        if told:
            _tell_resolved(group, told, now)
        log.info("alert_group_resolved", group=str(group.pk), via=via)
    if any(group.storm_id for group in groups):
        transaction.on_commit(partial(storms_end, by=by, via=via, now=now), robust=True)


def hush(group: AlertGroup, *, by: str, via: str, now: datetime) -> Iterable[Any]:
    """Stop the process of a group that is locked; returns the people who were told by it."""
    if group.process is None:
        return ()
    process_stop(process_id=group.process.process_id, by=by, via=via, now=now)
    return group.process.told_users


def storms_end(*, by: str = "", via: str = "", now: datetime) -> None:
    """Close the storms of which no group is open any more."""
    is_left = AlertGroup.objects.filter(storm=OuterRef("pk")).exclude(state=State.RESOLVED)
    storms = AlertGroup.objects.filter(is_storm=True).exclude(state=State.RESOLVED)
    for storm in storms.exclude(Exists(is_left)):
        with transaction.atomic():
            # It may have taken another in since: whoever has it do so locks it first.
            locked = AlertGroup.objects.select_for_update(of=("self",)).get(pk=storm.pk)
            if not locked.stormed.exclude(state=State.RESOLVED).exists():
                group_resolve(group=locked, by=by, via=via, now=now)


@receiver(process_ended, dispatch_uid="escalation.groups")
def group_note_acknowledged(process: EscalationProcess, **kwargs: Any) -> None:
    """Take over who acknowledged a group's process by phone, link or page, once that is committed.

    Not within its transaction: that has the process locked, and who closes a group locks it first.
    """
    if process.state == EscalationProcess.State.ACKNOWLEDGED:
        transaction.on_commit(partial(_note_acknowledged, process), robust=True)


def _note_acknowledged(process: EscalationProcess) -> None:
    groups = AlertGroup.objects.select_for_update(of=("self",)).filter(process=process.pk, state=State.OPEN)
    now = process.acknowledged_at or clock.now()
    with transaction.atomic():
        for group in groups:
            mark_acknowledged(group, by=process.ended_by, via=process.ended_via, now=now)
            group.save(update_fields=CHANGED)


def _tell_resolved(group: AlertGroup, told: Iterable[Any], now: datetime) -> None:
    """Tell those who were told of a group that it is over, each as they like to be told of such."""
    notification = notification_of(
        kind=RESOLVED,
        data={"group": str(group.pk), "title": group.title},
        context={
            "title": group.title,
            "by": group.ended_by,
            "page": f"{settings.PUBLIC_URL}/groups/{group.pk}/",
        },
        source_type="alert_group",
        source_id=str(group.pk),
        dedup_key=f"group:{group.pk}:resolved",
        shop_id=group.shop_id,
    )
    notify(notification, people(list(told), as_of=now), inbox=True)
