"""A plan in words, for people."""

from datetime import UTC
from typing import Final

from accounts.models import User
from escalation.policies.plan import GONE, NO_WAY, NOBODY_ON_CALL, Telling
from notifications.explanations import SUPPRESSED

REASONS: Final = {
    **SUPPRESSED,
    NOBODY_ON_CALL: "Nobody is on call then.",
    GONE: "Not there any more, or switched off.",
    NO_WAY: "Has no contact point on these channels.",
}


def outcome_of(telling: Telling) -> str:
    """Return what would become of a message in one word: told, held or not_told."""
    if not telling.is_told:
        return "not_told"
    return "held" if telling.reason else "told"


def explanation_of(telling: Telling) -> str:
    if not telling.is_told:
        return REASONS.get(telling.reason, f"Not told: {telling.reason.replace('_', ' ')}.")
    if telling.reason:
        until = telling.due_at.astimezone(UTC)
        return f"Held until their quiet hours end, at {until:%Y-%m-%d %H:%M} UTC."
    return f"Told by {telling.channel}."


def name_of(user: User | None) -> str:
    return f"{user.first_name} {user.last_name}".strip() or user.email if user else ""
