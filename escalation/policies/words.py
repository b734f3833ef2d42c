"""A plan in words, for people."""

from typing import Final

from accounts.models import User
from escalation.policies.plan import GONE, NO_WAY, NOBODY_ON_CALL
from notifications.engine.recipients import Recipient
from notifications.explanations import held_sentence, sentence_of

_OF_NOBODY: Final = {
    NOBODY_ON_CALL: "Nobody is on call then.",
    GONE: "Not there any more, or switched off.",
    NO_WAY: "Has no contact point on these channels.",
}


def outcome_of(recipient: Recipient) -> str:
    """Return what would become of a message in one word: told, held or not_told."""
    if not recipient.is_told:
        return "not_told"
    return "held" if recipient.reason else "told"


def explanation_of(recipient: Recipient) -> str:
    if not recipient.is_told:
        return _OF_NOBODY.get(recipient.reason) or sentence_of(recipient.reason, otherwise="Not told")
    if recipient.reason:
        return held_sentence(recipient.due_at)
    return f"Told by {recipient.channel}."


def name_of(user: User | None) -> str:
    return f"{user.first_name} {user.last_name}".strip() or user.email if user else ""
