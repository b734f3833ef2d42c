"""Which messages count against the allowances of what people cause. Pure.

What can't wait passes always, and so does what machines and the staff start: alerts, escalations, tracing.
"""

from typing import Final

from accounts.phones import may_be_told
from notifications import urgency
from notifications.channels import registry
from notifications.reasons import Reason

#: Of what people cause themselves, as often as they like: one address gets only so many of a kind a day.
REPEATABLE: Final = frozenset(
    {
        "account.verify_email",
        "account.verify_phone",
        "dating.cancelled",
        "dating.confirm",
        "dating.confirmed",
        "dating.moved_up",
        "dating.profile_incomplete",
        "dating.registered",
        "dating.waiting",
        "encadrant.created",
        "encadrant.updated",
        "student.created",
        "student.updated",
        "test",
    }
)
#: Of these so many for each thing that they are about: an evening's never use up another's, whose cancelling
#: a calendar would miss.
BY_SOURCE: Final = frozenset(kind for kind in REPEATABLE if kind.startswith("dating."))
#: What begins so never counts.
EXEMPT: Final = frozenset({"alert", "escalation", "tracing"})

#: Why a message is not sent, by the scope of the rate that is used up.
REASONS: Final = {
    "paid": Reason.LIMIT_PERSON,
    "paid-address": Reason.LIMIT_ADDRESS,
    "repeats": Reason.LIMIT_REPEATS,
}


def scopes_of(*, kind: str, channel: str, severity: str) -> tuple[str, ...]:
    """Return the scopes of the rates that a message counts against."""
    if not urgency.can_wait(kind=kind, severity=severity) or kind.partition(".")[0] in EXEMPT:
        return ()
    paid = ("paid", "paid-address") if registry.sendable(channel).is_paid else ()
    return (*paid, "repeats") if kind in REPEATABLE else paid


def is_refused(address: str, scopes: tuple[str, ...]) -> bool:
    """Whether an address that such a message goes to may not be told at the operator's cost."""
    return "paid" in scopes and not may_be_told(address)
