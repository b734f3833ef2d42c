"""The last resort: whoever is told of a process that ended, and that nobody took. Once a process."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet
from django.dispatch import receiver

from escalation import selectors
from escalation.models import EscalationProcess
from escalation.policies.definition import Definition, Step, Target
from escalation.policies.parsing import targets_of
from escalation.policies.plan import plan, told_and_silenced
from escalation.policies.selectors import world_of
from escalation.services.ending import noticed
from escalation.services.messages import planned
from escalation.services.processes import LOOK_EVERY, LOOK_FOR, add_told
from notifications import looks, metrics
from notifications.engine import stop
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import Recipient
from notifications.models import Delivery, Severity
from notifications.services.provider_reports import loss_reported

log = structlog.get_logger(__name__)

#: The counter of notifications.metrics, by outcome.
LAST_RESORTS: Final = "escalation_last_resorts"
TOLD: Final = "told"
FAILED: Final = "failed"
ANY_DUE: Final = looks.first(
    "escalation_escalationprocess WHERE last_resort_look_at <= %(now)s", by="last_resort_look_at"
)
# Processes of one look; the next goes on.
_MOST: Final = 100


def look(now: datetime) -> None:
    """Tell the last resorts of processes that ran out, and see whether they reached anybody."""
    due = EscalationProcess.objects.filter(last_resort_look_at__lte=now).order_by("last_resort_look_at")
    for pk in due.values_list("pk", flat=True)[:_MOST]:
        try:
            _look_at(pk, now)
        except Exception as error:  # those after it are to be told all the same
            if looks.is_away(error):
                raise
            log.exception("escalation_last_resort_put_off", process=str(pk))
            _put_off(pk, now)


def _look_at(pk: UUID, now: datetime) -> None:
    with transaction.atomic():
        due = EscalationProcess.objects.select_for_update(of=("self",)).select_related(
            "policy_version__policy"
        )
        process = due.filter(pk=pk, last_resort_look_at__lte=now).first()
        if process is None:
            return
        process.last_resort_look_at = None
        if process.ran_out and process.last_resort_at is None:
            _tell(process, now)
        elif process.ran_out:
            _see(process, now)
        process.save()


def _tell(process: EscalationProcess, now: datetime) -> None:
    """Tell the last resort of a process whose row is locked, if it has one; the caller stores it."""
    found = _recipients(process, now)
    if found is None:
        return
    process.last_resort_at = now
    told = [recipient for recipient in found if recipient.is_told]
    if not told:
        _failed(process.pk)
        return
    first = process.told + 1
    add_told(process, found)
    deliver_many(planned(process, found, severity=Severity.CRITICAL, first=first, is_last_resort=True))
    process.last_resort_look_at = now + timedelta(seconds=1)
    transaction.on_commit(partial(metrics.add, LAST_RESORTS, TOLD), robust=True)
    log.warning("escalation_last_resort_told", process=str(process.pk), notifications=len(told))


def _see(process: EscalationProcess, now: datetime) -> None:
    """Look whether the last resort of a process, whose row is locked, reached anybody, once all is sent."""
    deliveries = _deliveries_of(process)
    again_at = deliveries.aggregate(at=Min("outgoing__due_at"))["at"]
    if again_at is not None:
        process.last_resort_look_at = max(again_at, now + timedelta(seconds=1))
        return
    stop.close(deliveries, reason=Delivery.Reason.FINISHED)
    if not noticed(deliveries).exists():
        _failed(process.pk)


@receiver(loss_reported, dispatch_uid="escalation.last_resorts")
def failure_note(delivery: Delivery, **kwargs: Any) -> None:
    """Report a last resort that turns out to have reached nobody, such as by a call that nobody took."""
    notification = delivery.notification
    if EscalationProcess.LAST_RESORT not in notification.data:
        return
    over = EscalationProcess.objects.filter(
        pk=notification.source_id, state__in=EscalationProcess.RAN_OUT, last_resort_look_at=None
    )
    for process in over:
        if not noticed(_deliveries_of(process)).exists():
            _failed(process.pk)


def installation_targets() -> tuple[Target, ...]:
    """Return the last resort of the installation.

    Raises:
        django.core.exceptions.ValidationError: LAST_RESORT is not as it should be; the checks refuse that.
    """
    return targets_of(settings.LAST_RESORT)


def _recipients(process: EscalationProcess, now: datetime) -> list[Recipient] | None:
    """Return whom the last resort tells: that of the policy, or the installation's where it tells nobody.

    None where there is no last resort at all.
    """
    version = process.policy_version
    found: list[Recipient] | None = None
    for targets in (targets_of(version.last_resort) if version else (), installation_targets()):
        if targets:
            found = [*(found or ()), *_planned(targets, now)]
            if any(recipient.is_told for recipient in found):
                break
    return found


def _planned(targets: Sequence[Target], now: datetime) -> list[Recipient]:
    definition = Definition(steps=(Step(0, tuple(targets)),), severity=Severity.CRITICAL)
    found = told_and_silenced(plan(definition, world_of(definition, since=now), started_at=now))
    for recipient in found:
        recipient.data = {}  # it is in no step
    return found


def _deliveries_of(process: EscalationProcess) -> QuerySet[Delivery]:
    told = selectors.deliveries_of(process)
    return told.filter(notification__data__has_key=EscalationProcess.LAST_RESORT)


def _failed(pk: UUID) -> None:
    """Log and count it, before the commit: rather twice than never, should the worker die meanwhile."""
    metrics.add(LAST_RESORTS, FAILED)
    log.error("escalation_last_resort_failed", process=str(pk))


def _put_off(pk: UUID, now: datetime) -> None:
    """Look again in a minute, for some minutes after the process ended; then it has failed."""
    waiting = EscalationProcess.objects.filter(pk=pk, last_resort_look_at__lte=now)
    if waiting.filter(ended_at__gt=now - LOOK_FOR).update(last_resort_look_at=now + LOOK_EVERY):
        return
    with transaction.atomic():
        if waiting.update(last_resort_look_at=None):
            _failed(pk)
