"""The address by which one person enters one call: signed, so that it works without logging in."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_SALT: Final = "dating.join"


def join_url(round_id: UUID, registration_id: UUID, version: int = 0) -> str:
    """Return the address; it leads to whichever call the person has in that round.

    Args:
        version: of the person's links, as it is now (accounts.models.User).
    """
    return f"{settings.PUBLIC_URL}/dating/join/{join_token(round_id, registration_id, version)}/"


def join_token(round_id: UUID, registration_id: UUID, version: int = 0) -> str:
    value = f"{round_id.hex}{registration_id.hex}"
    # Links of the first version say none.
    return f"{value}{_signature(value, version)}" + (f"-{version}" if version else "")


def join_of(token: str) -> tuple[UUID, UUID] | None:
    """Return the round and the registration that a token is for, or None if it is none of ours."""
    try:
        round_id, registration_id = UUID(hex=token[:32]), UUID(hex=token[32:64])
    except ValueError:
        return None
    if not constant_time_compare(token, join_token(round_id, registration_id, version_of(token))):
        return None
    return round_id, registration_id


def version_of(token: str) -> int:
    """Return of which version of the person's links a token says that it is."""
    version = token.partition("-")[2]
    return int(version) if version.isdecimal() and len(version) < 10 else 0


def _signature(value: str, version: int) -> str:
    value = f"{value}-{version}" if version else value
    return salted_hmac(_SALT, value, algorithm="sha256").hexdigest()[:32]
