"""How often a message was tried. Brokers say at most that one comes again, not how often it has failed."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from config import sql
from config.statements import named
from notifications.brokers.messages import Message
from notifications.models import MessageFailure

#: A message that is not heard of for so long is not at its broker any more.
FORGET_AFTER: Final = timedelta(days=7)

_REMEMBER: Final = """
INSERT INTO notifications_messagefailure (source, key, attempts, last_at)
SELECT %(source)s, key, 0, %(now)s FROM unnest(%(keys)s::text[]) AS key
    ON CONFLICT (source, key) DO NOTHING
RETURNING key
"""
named("brokers.failures.remember", "Remember that messages came again.", _REMEMBER)
_COUNT: Final = """
INSERT INTO notifications_messagefailure (source, key, attempts, last_at)
VALUES (%(source)s, %(key)s, 1, %(now)s)
    ON CONFLICT (source, key) DO UPDATE
   SET attempts = notifications_messagefailure.attempts + 1, last_at = %(now)s
RETURNING attempts
"""
named("brokers.failures.count", "Count one more attempt at a message.", _COUNT)


def key_of(message: Message) -> str:
    """Return what tells a message from others when it comes again."""
    digest = hashlib.sha256()
    headers = sorted((name, repr(value)) for name, value in message.headers.items())
    for part in (message.message_id, message.group, message.routing_key, headers):
        digest.update(repr(part).encode() + b"\0")
    digest.update(message.body)
    return digest.hexdigest()


def suspects(source: str, messages: Iterable[Message], *, now: datetime) -> set[str]:
    """Remember that these came again; returns the keys of those of whom it was known before.

    One lost consumer makes suspects of nobody: it had many messages in hand, of which at most one is guilty.
    """
    keys = {key_of(message) for message in messages}
    if not keys:
        return set()
    return keys - set(sql.column(_REMEMBER, {"source": source, "keys": sorted(keys), "now": now}))


def count(source: str, message: Message, *, now: datetime) -> int:
    """Count one more attempt at a message; returns how many there have been."""
    return int(sql.value(_COUNT, {"source": source, "key": key_of(message), "now": now}))


def forget(source: str, messages: Sequence[Message]) -> None:
    """Drop the counts of messages that are done with."""
    if messages:
        keys = [key_of(message) for message in messages]
        MessageFailure.objects.filter(source=source, key__in=keys).delete()
