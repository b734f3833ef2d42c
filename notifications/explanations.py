"""Why a delivery is as it is, in one sentence for people."""

from datetime import UTC, datetime
from typing import Final

from django.utils.translation import gettext, ngettext

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
    said = text.removesuffix(gettext("; it can be replayed.")).removesuffix(".")
    if delivery.revoked_at is not None:
        return gettext("%(said)s; it is over, and can't be replayed.") % {"said": said}
    if delivery.address_is_erased:
        return gettext("%(said)s; it is so old that its address is erased, and can't be replayed.") % {
            "said": said
        }
    return text


def sentence_of(reason: str, *, otherwise: str) -> str:
    """Return a reason's sentence; of a word that this version doesn't know, what it is otherwise."""
    if reason in Reason.values:
        return str(Reason(reason).label)
    unknown = reason.replace("_", " ") or gettext("no reason was recorded")
    return f"{otherwise}: {unknown}."


def held_sentence(end: datetime, *, reason: str) -> str:
    """Say until when quiet hours, or the hours of a channel, hold a message."""
    if reason == Reason.HOURS:
        return gettext("Held until the hours that they set for this channel, at %(end)s.") % {
            "end": _minute(end)
        }
    return f"{_held(end)}."


def _said(delivery: Delivery) -> str:
    reason = delivery.reason
    match delivery.state:
        case Status.SENT if reason in _REPORTED:
            said = str(Reason(reason).label)
            return f"{_told(delivery)}; {said[0].lower()}{said[1:]}"
        case Status.SENT:
            return f"{_told(delivery)}."
        case Status.PENDING if delivery.attempts:
            return ngettext(
                "Waiting to be tried again after one failed attempt.",
                "Waiting to be tried again after %(count)d failed attempts.",
                delivery.attempts,
            ) % {"count": delivery.attempts}
        case Status.PENDING if reason in (Reason.QUIET_HOURS, Reason.HOURS):
            return held_sentence(delivery.due_at, reason=reason)
        case Status.PENDING if reason == Reason.DIGEST:
            return gettext("%(held)s; then told with others in one message.") % {
                "held": _held(delivery.due_at - DIGEST_GRACE)
            }
        case Status.PENDING:
            return gettext("Waiting to be sent.")
        case Status.SENDING:
            return gettext("Being sent right now.")
        case Status.SUPPRESSED if reason == Reason.DIGEST:
            return gettext("Part of one message after their quiet hours: see delivery %(id)s.") % {
                "id": delivery.digest_id
            }
        case Status.SUPPRESSED:
            return sentence_of(reason, otherwise=gettext("Not told"))
        case Status.CANCELLED:
            return sentence_of(reason, otherwise=gettext("Stopped"))
        case Status.EXPIRED:
            return str(Reason.TOO_OLD.label)
        case _:
            return sentence_of(reason, otherwise=gettext("Failed"))


def _held(end: datetime) -> str:
    return gettext("Held until their quiet hours end, at %(end)s") % {"end": _minute(end)}


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _told(delivery: Delivery) -> str:
    said = {"channel": delivery.channel, "attempt": delivery.attempts}
    if delivery.attempts <= 1:
        return gettext("Told by %(channel)s") % said
    return gettext("Told by %(channel)s, on attempt %(attempt)d") % said
