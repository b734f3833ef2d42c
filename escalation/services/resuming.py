"""Acknowledgements that run out: the process goes on with the steps that were cancelled."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from escalation import selectors
from escalation.models import EscalationProcess
from escalation.services.messages import Item
from escalation.services.processes import process_resume
from notifications import looks
from notifications.models import Delivery

#: Why a delivery was cancelled that has been told again since, or is about to be.
RESUMED: Final = "resumed"
# What an acknowledgement cancels: what waited, and what failed while it was being sent.
_CANCELLED: Final = (EscalationProcess.State.ACKNOWLEDGED.value, "revoked")
ANY_DUE: Final = looks.first("escalation_escalationprocess WHERE resume_at <= %(now)s", by="resume_at")
# Processes of one look; the next goes on.
_MOST: Final = 100


def look(now: datetime) -> None:
    """Resume what has to go on, as acknowledgements run out."""
    due = EscalationProcess.objects.filter(resume_at__lte=now).order_by("resume_at")
    for process in due.select_related("policy_version__policy")[:_MOST]:
        process_go_on(process=process, now=now)


def process_go_on(*, process: EscalationProcess, now: datetime) -> bool:
    """Resume a process: what was left at its acknowledgement is due as long after now as it was after that.

    People are told where they were to be told, but for contact points and people that are gone or switched
    off since, or not confirmed. False where nothing was left, or it was stopped or started anew meanwhile.
    """
    with transaction.atomic():
        left = list(_left(process))
        if not process_resume(
            process=process, notifications=[_again(each, process, now) for each in left], now=now
        ):
            return False
        Delivery.objects.filter(pk__in=[each.pk for each in left]).update(reason=RESUMED)
    return True


def _left(process: EscalationProcess) -> QuerySet[Delivery]:
    cancelled = selectors.deliveries_of(process).filter(
        status=Delivery.Status.CANCELLED, reason__in=_CANCELLED
    )
    usable = cancelled.exclude(user__is_active=False).exclude(contact_point__is_enabled=False)
    usable = usable.exclude(contact_point__deleted_at__isnull=False)
    usable = usable.exclude(contact_point__isnull=False, contact_point__confirmed_at=None)
    return usable.select_related("notification", "user", "contact_point").order_by("due_at", "pk")


def _again(delivery: Delivery, process: EscalationProcess, now: datetime) -> Item:
    data = dict(delivery.notification.data)
    at = parse_datetime(data.pop("at", ""))
    shift = now - (process.acknowledged_at or now)
    return Item(
        channel=delivery.channel,
        due_at=max(delivery.due_at + shift, now),
        address=delivery.address,
        user=delivery.user,
        contact_point=delivery.contact_point,
        at=at + shift if at else None,
        data=data,
    )
