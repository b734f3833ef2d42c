"""The links by which a process is acknowledged: signed, of one delivery's own, and with an end."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

_SALT: Final = "escalation.acknowledge"
#: Stands in texts where the link is to be; see notifications.messages.links.
MARK: Final = "⟦acknowledge⟧"


def token_of(delivery_id: UUID) -> str:
    """Return the link's token; it holds for ESCALATION_LINK_MAX_AGE_H."""
    short = urlsafe_b64encode(delivery_id.bytes).decode().rstrip("=")
    return _signer().sign(short)


def delivery_id_of(token: str) -> UUID | None:
    """Return whose token it is, or None where it was not made here, or has run out."""
    try:
        short = _signer().unsign(token, max_age=timedelta(hours=settings.ESCALATION_LINK_MAX_AGE_H))
        return UUID(bytes=urlsafe_b64decode(short + "=="))
    except (signing.BadSignature, ValueError):
        return None


def url_of(delivery_id: UUID) -> str:
    return f"{settings.PUBLIC_URL}/acknowledge/{token_of(delivery_id)}/"


def _signer() -> signing.TimestampSigner:
    # Dots and not colons, which some mail programs take for the end of a link.
    return signing.TimestampSigner(sep=".", salt=_SALT)
