"""When calls are to be hung up: as soon as their process is ended, and again where a job was lost."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver

from config import clock
from escalation import jobs, selectors
from escalation.models import EscalationProcess, HangUp
from escalation.services.hang_ups import LONGEST_CALL
from escalation.signals import process_ended
from notifications import looks, queue
from notifications.models import Delivery
from notifications.services.provider_reports import call_reported

State = EscalationProcess.State

# Of a call that may ring or talk: nothing was reported yet, or that somebody answered.
_MAY_BE_LIVE = Q(status=Delivery.Status.SENT, reason__in=("", Delivery.Reason.ANSWERED))

ANY_DUE = looks.first("escalation_hangup WHERE next_at <= %(now)s", by="next_at")


@receiver(process_ended, dispatch_uid="escalation.voice")
def hang_ups_ask(process: EscalationProcess, **kwargs: Any) -> None:
    """Note which of a process's calls are to be hung up; part of the transaction that ends it."""
    now = process.ended_at or process.started_at
    calls = selectors.deliveries_of(process).filter(channel="phone")
    live = calls.filter(
        Q(outgoing__lease_until__isnull=False) | _MAY_BE_LIVE & Q(sent_at__gt=now - LONGEST_CALL)
    )
    asked = [HangUp(delivery_id=pk, asked_at=now, next_at=now) for pk in live.values_list("pk", flat=True)]
    if asked:
        HangUp.objects.bulk_create(asked, ignore_conflicts=True)
        transaction.on_commit(_wake, robust=True)


@receiver(call_reported, dispatch_uid="escalation.voice")
def call_id_note(delivery: Delivery, sid: str, **kwargs: Any) -> None:
    """Hang up a call of a process that was ended while it was made, as soon as its id is known.

    The worker that made it may be lost, and never say which call it was.
    """
    notification = delivery.notification
    if delivery.channel != "phone" or notification.source_type != EscalationProcess.SOURCE:
        return
    ended = EscalationProcess.objects.filter(
        pk=notification.source_id, state__in=(State.STOPPED, State.ACKNOWLEDGED)
    )
    if not ended.exists() or delivery.status == Delivery.Status.SENT:
        return  # its attempt says which call it is
    known = {"call_sid": sid, "next_at": clock.now()}
    HangUp.objects.update_or_create(delivery_id=delivery.pk, defaults=known)
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    queue.enqueue_unless_waiting(jobs.HANG_UPS, jobs.hang_ups)


def look(now: datetime) -> None:
    """Have the calls hung up whose job was lost, or that are to be tried again."""
    _wake()
