"""Acknowledgements that run out: the round that was under way begins again, with whoever is on call then."""

from datetime import datetime
from functools import partial
from typing import Final

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import IntegerField, Max
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from escalation import selectors
from escalation.models import EscalationProcess
from escalation.services.policies import RoundPlan, planned
from escalation.services.processes import process_resume
from notifications import looks
from notifications.models import Delivery

log = structlog.get_logger(__name__)

Reason = Delivery.Reason
# What an acknowledgement cancels: what waited, and what failed while it was being sent.
_CANCELLED: Final = (Reason.ACKNOWLEDGED, Reason.REVOKED)
ANY_DUE: Final = looks.first("escalation_escalationprocess WHERE resume_at <= %(now)s", by="resume_at")
# Processes of one look; the next goes on.
_MOST: Final = 100


def look(now: datetime) -> None:
    """Resume what has to go on, as acknowledgements run out."""
    due = EscalationProcess.objects.filter(resume_at__lte=now).order_by("resume_at")
    for process in due[:_MOST]:
        try:
            process_go_on(process=process, now=now)
        except Exception as error:  # those after it are to go on all the same
            if looks.is_away(error):
                raise
            log.exception("escalation_not_resumed", process=str(process.pk))


def process_go_on(*, process: EscalationProcess, now: datetime) -> bool:
    """Begin the round again in which a process was acknowledged, and go on with those after it.

    People, their preferences and who is on call are taken as they are now. False where nobody would be told,
    or it was stopped, started anew or acknowledged once more meanwhile.
    """
    with transaction.atomic():
        if not process_resume(process=process, plan=partial(_again, now=now), now=now):
            return False
        cancelled = selectors.deliveries_of(process).filter(status=Delivery.Status.CANCELLED)
        cancelled.filter(reason__in=_CANCELLED).update(reason=Reason.RESUMED)
    return True


def _again(process: EscalationProcess, now: datetime) -> tuple[int, RoundPlan] | None:
    assert process.policy_version is not None  # only policies have acknowledgements with an end
    # What was cancelled and never began says nothing: it may be of rounds that would have come much later.
    begun = selectors.deliveries_of(process).filter(due_at__lte=process.acknowledged_at)
    begun = begun.exclude(status=Delivery.Status.CANCELLED, reason__in=(Reason.ACKNOWLEDGED, Reason.RESUMED))
    round_ = begun.annotate(round=Cast(KeyTextTransform("round", "notification__data"), IntegerField()))
    # Those that a version before 0010 started had all their rounds planned at once, and count none.
    last = max(process.round, round_.aggregate(last=Max("round"))["last"] or 1)
    try:
        return last, planned(
            process.policy_version,
            started_at=now,
            process_id=process.process_id,
            severity=process.severity,
            first_round=last,
            turns=process.turns_by_id(),
        )
    except ValidationError:  # nobody would be told; it is logged
        return None
