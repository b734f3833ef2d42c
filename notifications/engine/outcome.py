"""From what a channel answered to what is written down: sent, tried again when, or failed for good."""

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from notifications.channels.base import Channel
from notifications.channels.message import Away, Gone, Receipt, Rejected, TooFast, Unavailable
from notifications.engine.claim import Claimed
from notifications.engine.finalise import WITHHELD, Finished
from notifications.engine.retry import away_due_at, congested_due_at, next_due_at
from notifications.reasons import Reason

log = structlog.get_logger(__name__)

Result = Receipt | Rejected | Unavailable


def storable(text: str) -> str:
    """Return an error's text as PostgreSQL can store it, of bounded length."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:1000]


def outcome_of(
    channel: Channel, row: Claimed, result: Result, *, started_at: datetime, duration_ms: float, now: datetime
) -> Finished:
    """Decide what an attempt's result means for its delivery. Pure."""
    error = "" if isinstance(result, Receipt) else storable(str(result))
    failures = row.failures + (not isinstance(result, Receipt | TooFast | Away))
    due_at, reason, reference = None, "", ""
    outcome = "unavailable"
    if isinstance(result, Receipt):
        status, outcome = "sent", "sent"
        reference = storable(result.reference)[:128] if result.reference else ""
    elif isinstance(result, Rejected):
        status, outcome = "failed", "rejected"
        reason = Reason.GONE if isinstance(result, Gone) else Reason.REJECTED
    elif isinstance(result, TooFast):
        due_at = congested_due_at(
            attempt=row.attempt,
            now=now,
            retry_after_s=result.retry_after,
            retry_after_max_s=settings.RETRY_AFTER_MAX_S,
        )
        status, reason = "pending", Reason.TOO_FAST
    elif isinstance(result, Away):
        due_at = away_due_at(attempt=row.attempt, now=now)
        status, reason = "pending", Reason.AWAY
    else:
        due_at = next_due_at(
            channel.retry_policy,
            failures=failures,
            now=now,
            retry_after_s=result.retry_after,
            retry_after_max_s=settings.RETRY_AFTER_MAX_S,
        )
        status, reason = ("pending", Reason.RETRY) if due_at else ("failed", Reason.EXHAUSTED)
    return Finished(
        id=row.id,
        channel=row.channel,
        number=row.attempt,
        lateness_s=(started_at - row.due_at).total_seconds() if row.attempt == 1 else None,
        status=status,
        reason=reason,
        due_at=due_at,
        failures=failures,
        started_at=started_at,
        duration_ms=duration_ms,
        outcome=outcome,
        status_code=result.status_code,
        error=error,
        reference=reference,
    )


def ending_of(row: Claimed, *, now: datetime) -> Finished:
    """Return the end of a delivery whose worker was lost, and that is not to be sent any more. Pure."""
    # What was revoked may have been sent.
    status, reason = ("cancelled", Reason.REVOKED_LOST) if row.revoked else ("failed", Reason.WORKERS_LOST)
    words = "The worker that had it was lost."
    return _ended(row, now, status=status, reason=reason, outcome="lost", error=words)


def withheld_of(row: Claimed, reason: Reason, *, now: datetime) -> Finished:
    """Return the end of a delivery that a limit keeps from being sent: no attempt at it is made. Pure."""
    return _ended(row, now, status="suppressed", reason=reason, outcome=WITHHELD)


def _ended(row: Claimed, now: datetime, **end: Any) -> Finished:
    number, failures = row.attempt, row.failures
    return Finished(row.id, row.channel, number=number, failures=failures, started_at=now, **end)


def report(row: Claimed, finished: Finished) -> None:
    """Log the failure that ends a delivery."""
    if finished.status == "failed":
        log.error(
            "delivery_failed",
            delivery=str(row.id),
            channel=row.channel,
            reason=finished.reason,
            attempts=row.attempt,
            error=finished.error,
        )
