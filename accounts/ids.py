"""Public ids: time-ordered UUIDs, so that new rows land side by side in every index."""

import secrets
import uuid

from django.db import models

from config import clock


def uuid7() -> uuid.UUID:
    """Return a UUID of version 7: 48 bits of Unix milliseconds, 12 of their fraction, then 62 random ones.

    RFC 9562, 5.7 and 6.2 (method 3), as PostgreSQL makes them, and by its clock on every machine: what was
    made last, and in which month, is read from them. Those of one process come in order.
    """
    milliseconds, nanoseconds = divmod(clock.timestamp_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | secrets.randbits(62))


class UUIDv7(models.Func):
    """The same, made by PostgreSQL 18 for rows that SQL inserts."""

    template = "uuidv7()"
    output_field = models.UUIDField()


class UUIDv7Field(models.UUIDField):
    """A primary key that both Python and SQL can fill in."""

    def __init__(self, **options: object) -> None:
        options = {"primary_key": True, "default": uuid7, "db_default": UUIDv7(), "editable": False} | options
        super().__init__(**options)  # type: ignore[arg-type]
