"""Telling every web process whose inbox has changed. Only a hint: the streams look again by themselves."""

from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction

from notifications import queue

CHANNEL = "inbox"
# A message is the ids of so many people at most, 16 bytes each…
PEOPLE_PER_MESSAGE = 500
# …and for more people than this there is one message without any, which means everyone.
MOST_PEOPLE = 5_000
EVERYONE = b""
ID_BYTES = 16


def announce(user_ids: Iterable[UUID]) -> None:
    """Say, once it is committed, that the inboxes of these people have changed; only a hint."""
    people = list(dict.fromkeys(user_ids))
    if people:
        queue.hint(CHANNEL, *messages(people), failed="inbox_announcement_failed", people=len(people))


def announce_on_commit(user_id: UUID) -> None:
    """Say the same of one person's inbox, once the transaction under way commits."""
    transaction.on_commit(partial(announce, [user_id]), robust=True)


def messages(people: Sequence[UUID]) -> list[bytes]:
    """Return what to publish about these people: messages of bounded size, and not many."""
    if len(people) > MOST_PEOPLE:
        return [EVERYONE]
    starts = range(0, len(people), PEOPLE_PER_MESSAGE)
    return [b"".join(each.bytes for each in people[at : at + PEOPLE_PER_MESSAGE]) for at in starts]


def people_of(message: bytes) -> list[UUID] | None:
    """Return whom a message is about; None is everyone, which a message that can't be read means too."""
    if not message or len(message) % ID_BYTES:
        return None
    return [UUID(bytes=message[start : start + ID_BYTES]) for start in range(0, len(message), ID_BYTES)]
