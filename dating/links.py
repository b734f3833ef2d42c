"""The address by which one person enters one call: signed, so that it works without logging in."""

from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

_SALT: Final = "dating.join"


def join_url(round_id: UUID, registration_id: UUID) -> str:
    """Return the address; it leads to whichever call the person has in that round."""
    return f"{settings.PUBLIC_URL}/dating/join/{join_token(round_id, registration_id)}/"


def join_token(round_id: UUID, registration_id: UUID) -> str:
    return f"{round_id.hex}{registration_id.hex}{_signature(round_id, registration_id)}"


def join_of(token: str) -> tuple[UUID, UUID] | None:
    """Return the round and the registration that a token is for, or None if it is none of ours."""
    try:
        round_id, registration_id = UUID(hex=token[:32]), UUID(hex=token[32:64])
    except ValueError:
        return None
    if not constant_time_compare(token, join_token(round_id, registration_id)):
        return None
    return round_id, registration_id


def _signature(round_id: UUID, registration_id: UUID) -> str:
    value = f"{round_id.hex}{registration_id.hex}"
    return salted_hmac(_SALT, value, algorithm="sha256").hexdigest()[:32]
