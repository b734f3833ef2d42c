"""A plan in words, for people."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from escalation.policies.conditions import HOURS, SEVERITY, WEEKDAY
from escalation.policies.plan import GONE, NOBODY_IN_IT, NOBODY_ON_CALL
from notifications.channels import registry
from notifications.engine.own_steps import NO_WAY
from notifications.engine.recipients import Recipient
from notifications.explanations import held_sentence, sentence_of

_OF_NOBODY: Final = {
    NOBODY_ON_CALL: gettext_lazy("Nobody is on call then."),
    GONE: gettext_lazy("Not there any more, or switched off."),
    NO_WAY: gettext_lazy("Has no contact point on these channels."),
    NOBODY_IN_IT: gettext_lazy("Nobody takes turns in this schedule."),
    HOURS: gettext_lazy("Left out: it is due outside its hours."),
    WEEKDAY: gettext_lazy("Left out: it is due on another day."),
    SEVERITY: gettext_lazy("Left out: the escalation has another severity."),
}


def outcome_of(recipient: Recipient) -> str:
    """Return what would become of a message in one word: told, held or not_told."""
    if not recipient.is_told:
        return "not_told"
    return "held" if recipient.reason else "told"


def shown_rows(recipients: Iterable[Recipient], *, started_at: datetime) -> list[dict[str, Any]]:
    """Return what pages show of a plan, a row for each."""
    return [
        {
            "recipient": recipient,
            "who": name_of(recipient.user),
            "address": registry.shown(recipient.channel, recipient.address),
            "outcome": outcome_of(recipient),
            "why": explanation_of(recipient),
            "after_s": round((recipient.due_at - started_at).total_seconds()),
        }
        for recipient in recipients
    ]


def explanation_of(recipient: Recipient) -> str:
    return f"{_explanation(recipient)} {recipient.detail}".rstrip()


def _explanation(recipient: Recipient) -> str:
    if not recipient.is_told:
        if recipient.reason in _OF_NOBODY:
            return str(_OF_NOBODY[recipient.reason])
        return sentence_of(recipient.reason, otherwise=gettext("Not told"))
    if recipient.reason:
        return held_sentence(recipient.due_at, reason=recipient.reason)
    return gettext("Told by %(channel)s.") % {"channel": recipient.channel}


def name_of(user: User | None) -> str:
    return f"{user.first_name} {user.last_name}".strip() or user.email if user else ""
