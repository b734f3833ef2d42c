"""Links in a mail that switch off its kind: signed, so that nobody guesses them, and without an end."""

from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing

_SALT: Final = "notifications.unsubscribe"


class Target(NamedTuple):
    """What a link switches off: a kind by a channel, for a person."""

    user_id: UUID
    kind: str
    channel: str


def token_of(target: Target) -> str:
    """Return the link's token. It holds for as long as the secret key does."""
    return signing.Signer(salt=_SALT).sign_object([target.user_id.hex, target.kind, target.channel])


def target_of(token: str) -> Target | None:
    """Return what a token means, or None where it was not made here."""
    try:
        match signing.Signer(salt=_SALT).unsign_object(token):
            case [str(user_id), str(kind), str(channel)]:
                return Target(UUID(user_id), kind, channel)
    except (signing.BadSignature, ValueError):
        pass
    return None


def url_of(target: Target) -> str:
    return f"{settings.PUBLIC_URL}/unsubscribe/{token_of(target)}/"
