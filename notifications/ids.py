"""The ids of deliveries: they follow from the fact, the person and the contact point.

A UUID of version 8 (RFC 9562): the milliseconds of the notification's id, then a digest. So the same delivery
can't be made twice, and where a crash undoes a fan-out that was being sent, the next one gives its
deliveries the same ids, by which receivers know a repeat. notifications.engine.fanout.sql says it in SQL.
"""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

#: No id is higher.
LAST_ID: Final = UUID(int=(1 << 128) - 1)
# The end of the last year that Python knows.
_LAST_MS: Final = 253_402_300_799_999


def notification_id(at: datetime) -> UUID:
    """Return a new id that sorts by the time at which the fact arrived (UUID version 7)."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    )


def first_id(at: datetime) -> UUID:
    """Return the lowest id of a time, of any version: no id of an earlier millisecond is as high."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def moment_of(pk: UUID) -> datetime:
    """Return the time that an id begins with, to the millisecond."""
    return datetime.fromtimestamp(min(pk.int >> 80, _LAST_MS) / 1000, UTC)


def delivery_id(*, notification: UUID, dedup_key: str, user: UUID | None, contact_point: UUID | None) -> UUID:
    """Return the id of the delivery of a notification, which has this ``dedup_key``, to a contact point."""
    name = f"{dedup_key}{user or ''}{contact_point or ''}"
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return UUID(f"{notification.hex[:12]}8{digest[:3]}8{digest[3:18]}")
