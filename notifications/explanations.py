"""Why a delivery is as it is, in one sentence for people."""

from datetime import UTC, datetime
from typing import Final

from notifications.models import Delivery
from notifications.quiet_hours import DIGEST_GRACE

Status = Delivery.Status

SUPPRESSED: Final = {
    "level": "Not told: prefers critical alerts only.",
    "disabled": "Not told: this contact point is switched off.",
    "unconfirmed": "Not told: this contact point is not confirmed yet, by the code that was sent there.",
    "unsubscribed": "Not told: does not want this kind of message by this channel.",
    "limit_person": "Not told: this person had as many text messages and calls within a day as anybody may.",
    "limit_address": "Not told: this number had as many text messages and calls within a day as any may.",
    "limit_repeats": "Not told: this address had as many messages of this kind within a day as any may.",
    "number_refused": "Not told: this server calls and texts no number of this kind (PHONE_PREFIXES).",
}
CANCELLED: Final = {
    "revoked_lost": "Stopped while it was being sent, by a worker that was lost: it may have been sent.",
    "revoked": "Stopped while it was being sent: the attempt failed and is not repeated.",
    "contact_point_removed": "Stopped: the contact point was removed first.",
    "cancelled_by_operator": "Stopped by an operator before it was sent.",
    "stopped": "Stopped with its escalation before it was sent.",
    "finished": "Stopped: its escalation had nothing left to send, and is over.",
    "person_left": "Stopped: the person deleted their account.",
    "locked_out": "Stopped: the person's account was locked.",
    "plan_changed": "Stopped: the plan of the evening changed.",
    "overtaken": "Not needed any more: something that was said later took its place.",
    "acknowledged": "Not needed any more: somebody acknowledged the escalation first.",
    "resumed": "Put off by an acknowledgement that ran out: it was planned anew.",
}
FAILED: Final = {
    "rejected": "Failed: the destination refused it for good; trying again would change nothing.",
    "gone": "Failed: the provider calls the address dead; a contact point that still had it is now off.",
    "exhausted": "Failed: every attempt failed; it can be replayed.",
    "undelivered": "Failed: the provider took it, then reported that it did not arrive; it can be replayed.",
    "workers_lost": "Failed: each worker that tried was lost; it can be replayed.",
}

# What became of a call, by the reason of its delivery.
CALLS: Final = {
    "answered": "the call was answered",
    "voicemail": "a voicemail or a fax answered the call",
    "hung_up": "the call was hung up before anybody answered, since it was not needed any more",
}


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


def _said(delivery: Delivery) -> str:
    reason = delivery.reason
    match delivery.state:
        case Status.SENT if reason == "delivered":
            return f"Told by {delivery.channel}{_on_attempt(delivery)}; the provider confirms it."
        case Status.SENT if reason in CALLS:
            return f"Told by {delivery.channel}{_on_attempt(delivery)}; {CALLS[reason]}."
        case Status.SENT:
            return f"Told by {delivery.channel}{_on_attempt(delivery)}."
        case Status.PENDING if delivery.attempts:
            return f"Waiting to be tried again after {_times(delivery.attempts)}."
        case Status.PENDING if reason == "quiet_hours":
            return f"Held until their quiet hours end, at {_utc(delivery.due_at)}."
        case Status.PENDING if reason == "digest":
            end = _utc(delivery.due_at - DIGEST_GRACE)
            return f"Held until their quiet hours end, at {end}; then told with others in one message."
        case Status.PENDING:
            return "Waiting to be sent."
        case Status.SENDING:
            return "Being sent right now."
        case Status.SUPPRESSED if reason == "digest":
            return f"Part of one message after their quiet hours: see delivery {delivery.digest_id}."
        case Status.SUPPRESSED:
            return SUPPRESSED.get(reason, f"Not told: {_words(reason)}.")
        case Status.CANCELLED:
            return CANCELLED.get(reason, f"Stopped: {_words(reason)}.")
        case Status.EXPIRED:
            return "Gave up: it could not be sent before it was too old to matter."
        case _:
            return FAILED.get(reason, f"Failed: {_words(reason)}.")


def _on_attempt(delivery: Delivery) -> str:
    return "" if delivery.attempts <= 1 else f", on attempt {delivery.attempts}"


def _times(attempts: int) -> str:
    return "one failed attempt" if attempts == 1 else f"{attempts} failed attempts"


def _words(reason: str) -> str:
    return reason.replace("_", " ") or "no reason was recorded"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
