"""Webhook signatures by Standard Webhooks (standardwebhooks.com): derived secrets, signing, verifying. Pure.

Secrets are derived from WEBHOOK_SIGNING_KEY and never stored, so a copy of the database holds none.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from django.conf import settings

PREFIX = "whsec_"
# Seconds that the clocks of sender and receiver may differ, as the specification's libraries have it.
TOLERANCE_S = 300


def secret_for(contact_point_id: UUID, version: int) -> str:
    """Return a contact point's secret as its owner is shown it: ``whsec_`` and 32 bytes in base64."""
    return PREFIX + b64encode(_key_for(contact_point_id, version)).decode()


def signatures(
    contact_point_id: UUID,
    *,
    version: int,
    rotated_at: datetime | None,
    message_id: str,
    body: bytes,
    now: datetime,
) -> str:
    """Return the ``webhook-signature`` header, for a ``webhook-timestamp`` of ``int(now.timestamp())``.

    For WEBHOOK_ROTATION_H hours after a rotation it holds two: by the new secret and by the one before.
    """
    content = _content(message_id, int(now.timestamp()), body)
    signature = _sign(_key_for(contact_point_id, version), content)
    if rotated_at and version > 1 and now < rotated_at + timedelta(hours=settings.WEBHOOK_ROTATION_H):
        signature += " " + _sign(_key_for(contact_point_id, version - 1), content)
    return signature


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Return whether a webhook is authentic, as its receiver finds out.

    Args:
        secrets: the receiver's secrets, each as `secret_for` gives it.
        headers: holding ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, in lower case.
        body: as received, byte for byte.
    """
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    given = headers["webhook-signature"].split()
    keys = (b64decode(secret.removeprefix(PREFIX)) for secret in secrets)
    content = _content(message_id, int(timestamp), body)
    expected = [_sign(key, content) for key in keys]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given)


def _content(message_id: str, timestamp: int, body: bytes) -> bytes:
    return b"%b.%d.%b" % (message_id.encode(), timestamp, body)


def _sign(key: bytes, content: bytes) -> str:
    return "v1," + b2a_base64(hmac.digest(key, content, "sha256"), newline=False).decode()


def _key_for(contact_point_id: UUID, version: int) -> bytes:
    return _derived(settings.WEBHOOK_SIGNING_KEY, contact_point_id, version)


@lru_cache(maxsize=16_384)
def _derived(signing_key: str, contact_point_id: UUID, version: int) -> bytes:
    return hmac.digest(signing_key.encode(), f"{contact_point_id}:{version}".encode(), "sha256")
