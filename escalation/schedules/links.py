"""Secret links to a schedule's calendar: calendar programs can't log in. Renewing ends those given out."""

from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing

# As it was when there were rotations only: their links still lead there.
_SALT: Final = "escalation.rotation"


class Target(NamedTuple):
    schedule_id: UUID
    version: int


def url_of(target: Target) -> str:
    token = signing.Signer(salt=_SALT).sign_object([target.schedule_id.hex, target.version])
    return f"{settings.PUBLIC_URL}/calendars/{token}.ics"


def target_of(token: str) -> Target | None:
    """Return what a token means, or None where it was not made here."""
    try:
        match signing.Signer(salt=_SALT).unsign_object(token):
            case [str(schedule_id), int(version)]:
                return Target(UUID(schedule_id), version)
    except (signing.BadSignature, ValueError):
        pass
    return None
