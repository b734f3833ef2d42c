"""Secret links to a rotation's calendar: calendar programs can't log in. Renewing ends those given out."""

from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing

_SALT: Final = "escalation.rotation"


class Target(NamedTuple):
    rotation_id: UUID
    version: int


def url_of(target: Target) -> str:
    token = signing.Signer(salt=_SALT).sign_object([target.rotation_id.hex, target.version])
    return f"{settings.PUBLIC_URL.rstrip('/')}/calendars/{token}.ics"


def target_of(token: str) -> Target | None:
    """Return what a token means, or None where it was not made here."""
    try:
        match signing.Signer(salt=_SALT).unsign_object(token):
            case [str(rotation_id), int(version)]:
                return Target(UUID(rotation_id), version)
    except (signing.BadSignature, ValueError):
        pass
    return None
