"""Hanging up calls that ring, or are under way, when their process is stopped or acknowledged.

What is to be hung up is a row, written in the transaction that ends the process. So neither a lost job nor a
killed worker leaves a phone ringing, and a call whose own id is not known yet is ended once it is.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction

from escalation.models import HangUp
from notifications import metrics
from notifications.channels import registry
from notifications.channels.message import Rejected, Unavailable
from notifications.channels.transport import twilio
from notifications.channels.transport.session import Session
from notifications.models import Attempt, Delivery

log = structlog.get_logger(__name__)

#: The histogram of notifications.metrics, in seconds.
SECONDS: Final = "escalation_hang_up"
#: Nobody lets a phone ring, or listens, for longer: a call older than this has ended.
LONGEST_CALL: Final = timedelta(minutes=10)
# For so long a taken row is left to its job.
_LEASE: Final = timedelta(seconds=6)
# Shorter than that: nobody else takes what is still being asked for.
_TIMEOUT_S: Final = 4.0
_MOST: Final = 100
_LONGEST_WAIT_S: Final = 30

Reason = Delivery.Reason
Result = bool | Rejected | Unavailable


def spare(delivery: Delivery) -> None:
    """Leave a call to end by itself; part of the transaction that ends its process."""
    HangUp.objects.filter(pk=delivery.pk).delete()


def run(now: datetime) -> int:
    """Hang up what is due; returns how many calls were ended so."""
    taken = _taken(now)
    calls: list[tuple[HangUp, str]] = []
    for hang_up in taken:
        if sid := _call_of(hang_up.delivery) or hang_up.call_sid:
            calls.append((hang_up, sid))
        elif hang_up.delivery.state == Delivery.Status.SENDING:
            _again(hang_up, now=now, wait_s=1.0, error="it is being made")
        else:
            hang_up.delete()
    results = asyncio.run(_hung_up([sid for _, sid in calls])) if calls else []
    for (hang_up, _), result in zip(calls, results, strict=True):
        if isinstance(result, Unavailable):
            wait_s = max(result.retry_after or 0.0, 2.0**hang_up.attempts)
            _again(hang_up, now=now, wait_s=min(wait_s, _LONGEST_WAIT_S), error=str(result))
        else:
            if isinstance(result, Rejected):
                log.error("hang_up_failed", delivery=str(hang_up.pk), error=str(result))
            if result is True:
                log.info("call_hung_up", delivery=str(hang_up.pk))
                metrics.observe(SECONDS, max(0.0, (now - hang_up.asked_at).total_seconds()))
            else:
                _unmark(hang_up)
            hang_up.delete()
    return sum(result is True for result in results)


def _taken(now: datetime) -> list[HangUp]:
    """Take what is due for a while, so that no transaction waits for Twilio."""
    with transaction.atomic():
        due = HangUp.objects.filter(next_at__lte=now).select_related("delivery__outgoing").order_by("next_at")
        taken = list(due.select_for_update(of=("self",), skip_locked=True)[:_MOST])
        HangUp.objects.filter(pk__in=[hang_up.pk for hang_up in taken]).update(next_at=now + _LEASE)
    return taken


def _call_of(delivery: Delivery) -> str:
    """Return the id of a call that may still be live, and mark it, or return "".

    Marked before: Twilio's report on the call's end may be here sooner than its answer.
    """
    may_be_live = delivery.reason in ("", Reason.ANSWERED, Reason.HUNG_UP)
    if delivery.status != Delivery.Status.SENT or not may_be_live:
        return ""
    attempts = Attempt.objects.filter(delivery=delivery, outcome=Attempt.Outcome.SENT).order_by("-number")
    sid = attempts.values_list("reference", flat=True).first()
    if sid:
        Delivery.objects.filter(pk=delivery.pk, status="sent", reason="").update(reason=Reason.HUNG_UP)
    return sid or ""


async def _hung_up(sids: Sequence[str]) -> list[Result]:
    timeout_s = min(_TIMEOUT_S, registry.get("phone").timeout_s)

    async def ask(sid: str) -> Result:
        try:
            return await twilio.hang_up(sid, session=session, timeout_s=timeout_s)
        except (Rejected, Unavailable) as failure:
            return failure

    async with Session() as session:
        return await asyncio.gather(*map(ask, sids))


def _again(hang_up: HangUp, *, now: datetime, wait_s: float, error: str) -> None:
    """Try once more later, unless the call must be over by then."""
    if now - hang_up.asked_at > LONGEST_CALL:
        log.error("hang_up_failed", delivery=str(hang_up.pk), error=error)
        _unmark(hang_up)
        hang_up.delete()
        return
    hang_up.next_at, hang_up.attempts = now + timedelta(seconds=wait_s), min(hang_up.attempts + 1, 10)
    hang_up.save(update_fields=["next_at", "attempts"])


def _unmark(hang_up: HangUp) -> None:
    Delivery.objects.filter(pk=hang_up.pk, reason=Reason.HUNG_UP).update(reason="")
