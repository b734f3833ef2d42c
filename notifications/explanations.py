"""Why a delivery is as it is, in one sentence for people."""

from datetime import UTC, datetime
from typing import Final

from notifications.models import Delivery
from notifications.quiet_hours import DIGEST_GRACE

Status = Delivery.Status
Reason = Delivery.Reason

# What providers report of what they took (notifications.services.provider_reports).
_REPORTED: Final = (Reason.DELIVERED, Reason.ANSWERED, Reason.VOICEMAIL, Reason.HUNG_UP)


def explain(delivery: Delivery) -> str:
    """Say what came of a delivery and why; names no address."""
    text = _said(delivery)
    if delivery.status not in (Status.FAILED, Status.EXPIRED):
        return text
    said = text.removesuffix("; it can be replayed.").removesuffix(".")
    if delivery.revoked_at is not None:
        return f"{said}; it is over, and can't be replayed."
    if delivery.address_is_erased:
        return f"{said}; it is so old that its address is erased, and can't be replayed."
    return text


def sentence_of(reason: str, *, otherwise: str) -> str:
    """Return a reason's sentence; of a word that this version doesn't know, what it is otherwise."""
    if reason in Reason.values:
        return Reason(reason).label
    return f"{otherwise}: {reason.replace('_', ' ') or 'no reason was recorded'}."


def held_sentence(end: datetime) -> str:
    """Say until when quiet hours hold a message."""
    return f"{_held(end)}."


def _said(delivery: Delivery) -> str:
    reason = delivery.reason
    match delivery.state:
        case Status.SENT if reason in _REPORTED:
            said = Reason(reason).label
            return f"Told by {delivery.channel}{_on_attempt(delivery)}; {said[0].lower()}{said[1:]}"
        case Status.SENT:
            return f"Told by {delivery.channel}{_on_attempt(delivery)}."
        case Status.PENDING if delivery.attempts:
            return f"Waiting to be tried again after {_times(delivery.attempts)}."
        case Status.PENDING if reason == Reason.QUIET_HOURS:
            return held_sentence(delivery.due_at)
        case Status.PENDING if reason == Reason.DIGEST:
            return f"{_held(delivery.due_at - DIGEST_GRACE)}; then told with others in one message."
        case Status.PENDING:
            return "Waiting to be sent."
        case Status.SENDING:
            return "Being sent right now."
        case Status.SUPPRESSED if reason == Reason.DIGEST:
            return f"Part of one message after their quiet hours: see delivery {delivery.digest_id}."
        case Status.SUPPRESSED:
            return sentence_of(reason, otherwise="Not told")
        case Status.CANCELLED:
            return sentence_of(reason, otherwise="Stopped")
        case Status.EXPIRED:
            return Reason.TOO_OLD.label
        case _:
            return sentence_of(reason, otherwise="Failed")


def _held(end: datetime) -> str:
    return f"Held until their quiet hours end, at {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _on_attempt(delivery: Delivery) -> str:
    return "" if delivery.attempts <= 1 else f", on attempt {delivery.attempts}"


def _times(attempts: int) -> str:
    return "one failed attempt" if attempts == 1 else f"{attempts} failed attempts"
