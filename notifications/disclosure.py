"""Telling domains that notices of theirs were read, so that one whose readings are logged can log it."""

from collections.abc import Iterable
from typing import Final

from django.dispatch import Signal

from accounts.models import ApiKey, User
from notifications.models import DeadMessage, Notification

#: Sent with ``facts`` (pairs of source_type and source_id), ``user`` and ``api_key``, either of them None.
facts_read: Final = Signal()
DEAD_MESSAGE: Final = "dead_message"


def notices_read(notices: Iterable[Notification], *, user: object, api_key: object = None) -> None:
    """Say that somebody, a person or a machine by its key, was shown these notices."""
    facts = {(each.source_type, each.source_id) for each in notices}
    if facts:
        facts_are_read(facts, user=user, api_key=api_key)


def dead_messages_read(dead: Iterable[DeadMessage], *, user: object, api_key: object = None) -> None:
    """Say that somebody was shown these: as facts they are of the kind ``DEAD_MESSAGE``, by their source."""
    if facts := {(DEAD_MESSAGE, each.source) for each in dead}:
        facts_are_read(facts, user=user, api_key=api_key)


def facts_are_read(facts: Iterable[tuple[str, str]], *, user: object, api_key: object = None) -> None:
    """Say that somebody was shown what tells of these facts."""
    facts_read.send(
        Notification,
        facts=set(facts),
        user=user if isinstance(user, User) else None,
        api_key=api_key if isinstance(api_key, ApiKey) else None,
    )
