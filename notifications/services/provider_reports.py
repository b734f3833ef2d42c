"""What a provider reports after it has taken a message: whether it arrived."""

from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.dispatch import Signal

from notifications import metrics
from notifications.channels.transport.twilio import Report
from notifications.models import AttemptRow, Delivery, Outgoing, Undelivered
from notifications.reasons import Reason

#: Sent with ``delivery`` and ``sid`` as a provider reports on a call that is under way, with its id for it.
call_reported = Signal()
#: Sent with ``delivery`` once a provider has reported that what it took reached a voicemail at most.
loss_reported = Signal()

log = structlog.get_logger(__name__)

Status = Delivery.Status


def delivery_report_record(*, delivery: Delivery, attempt: int, report: Report) -> bool:
    """Write down what became of an attempt; False where it is known already, or of no more interest.

    A delivery that arrived stays ``sent``, its reason says ``delivered``; of a call, ``answered`` or
    ``voicemail``. One that did not is ``failed`` for the reason ``undelivered`` and can be replayed. Only
    the latest attempt counts, and its first report: reports may come twice and in any order. That a
    machine had answered is known after that a call was answered.
    """
    if report.arrived:
        before = ("", Reason.ANSWERED) if report.reason == Reason.VOICEMAIL else ("",)
        sent = Delivery.objects.filter(pk=delivery.pk, attempts=attempt, status=Status.SENT)
        changed = bool(sent.filter(reason__in=before).update(reason=report.reason))
        changed = changed or _mark_made_after_all(delivery.pk, attempt, report.reason)
    else:
        changed = _mark_undelivered(delivery.pk, attempt, report.detail)
    if not changed:
        return False
    metrics.add("provider_reports", delivery.channel, report.reason if report.arrived else Reason.UNDELIVERED)
    about = {"delivery": str(delivery.pk), "channel": delivery.channel, "attempts": attempt}
    if report.arrived:
        log.info("delivery_confirmed", **about)
    else:
        log.error("delivery_failed", **about, reason=Reason.UNDELIVERED, error=report.detail)
    if not report.arrived or report.reason == Reason.VOICEMAIL:
        loss_reported.send(sender=Delivery, delivery=delivery)
    return True


def _mark_made_after_all(delivery_id: UUID, attempt: int, reason: Reason) -> bool:
    """Correct what was stopped while a worker had it that was lost: the provider had taken it."""
    with transaction.atomic():
        stopped = Delivery.objects.select_for_update(no_key=True).filter(
            pk=delivery_id, attempts=attempt, status=Status.CANCELLED, reason=Reason.REVOKED_LOST
        )
        lost = AttemptRow.objects.filter(delivery_id=delivery_id, number=attempt, outcome="lost").first()
        if lost is None or not stopped.exists():
            return False
        stopped.update(status=Status.SENT, reason=reason, sent_at=lost.started_at)
        AttemptRow.objects.filter(pk=lost.pk).update(outcome="sent", error="")
    return True


def _mark_undelivered(delivery_id: UUID, attempt: int, detail: str) -> bool:
    with transaction.atomic():
        # A provider can be quicker than the sender, which may not have written down yet that it was taken.
        # It will find the row gone from the queue, and add its attempt.
        under_way = Outgoing.objects.filter(pk=delivery_id, attempts=attempt, lease_until__isnull=False)
        ended, _ = under_way.delete()
        sent = Q(status=Status.SENT, reason="", attempts=attempt)
        reported = Delivery.objects.filter(Q(status=Status.PENDING) if ended else sent, pk=delivery_id)
        changed = reported.update(status=Status.FAILED, reason=Reason.UNDELIVERED, attempts=attempt)
        if changed:
            Undelivered.objects.get_or_create(pk=delivery_id)
            AttemptRow.objects.filter(delivery_id=delivery_id, number=attempt).update(
                error=f"taken, then reported as {detail}"
            )
    return bool(changed)
