"""Codes and link tokens: derived from a verification's id with the secret key, never stored."""

import base64
import binascii
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import Verification

CODE_DIGITS: Final = 6
_MAC_BYTES: Final = 32


def code_of(verification_id: UUID) -> str:
    """Return the six digits that a person types in."""
    number = int.from_bytes(_mac("code", verification_id)[:8])
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def token_of(verification_id: UUID) -> str:
    """Return the URL-safe token of a link: the id, and what only this service can make of it."""
    return base64.urlsafe_b64encode(verification_id.bytes + _mac("token", verification_id)).decode()


def is_code_of(verification_id: UUID, code: str) -> bool:
    """Whether the code is this verification's; takes the same time for every wrong one."""
    return constant_time_compare(code_of(verification_id), code)


def id_of_token(token: str) -> UUID | None:
    """Return whose token this is; None for anything that this service did not make."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    if len(raw) != 16 + _MAC_BYTES:
        return None
    verification_id = UUID(bytes=raw[:16])
    # Compared as text, so that one id has one spelling of its token only.
    return verification_id if constant_time_compare(token_of(verification_id), token) else None


def is_open(verification: Verification, *, address: str, now: datetime) -> bool:
    """Whether it may still be used, by somebody whose address this is now."""
    return (
        verification.used_at is None
        and now < verification.expires_at
        and verification.failures < settings.CODE_ATTEMPTS
        and verification.address == address
    )


def _mac(purpose: str, verification_id: UUID) -> bytes:
    return salted_hmac(f"accounts.verification.{purpose}", verification_id.bytes, algorithm="sha256").digest()
