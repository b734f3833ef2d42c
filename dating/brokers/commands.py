"""The dating bot's commands as they come: the command in the body, whom and what it is about in the headers.

``register_event`` with ``{"user_id": 77001234, "chat_id": 77001234, "message_id": 12, "event_id": "3"}``.
Formats: docs/brokers.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from notifications.brokers.messages import Answer, Malformed, Message

#: Numbers of people, chats and events: what PostgreSQL's bigint and Telegram's ids hold.
NUMBER_MAX: Final = 2**63 - 1
#: The number of all events that somebody is registered for.
ALL_EVENTS: Final = 0
#: A body that is longer holds no command.
TEXT_MAX_BYTES: Final = 10_000
NOT_UNDERSTOOD: Final[dict[str, Any]] = {"success": False}
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")


class Name(StrEnum):
    """What the bot can ask for, in the order in which a body is looked through, as the original did."""

    LIST = "list_events"
    REGISTER = "register_event"
    CONFIRM = "confirm_registration"
    CANCEL = "cancel_registration"
    # Beyond the original's, whose bot wrote these into a database that it shared.
    READY = "ready_for_event"
    DISLIKE = "dislike_partner"  # before the one whose name it holds
    LIKE = "like_partner"
    REPORT = "report_partner"


#: Commands about one event, and those about somebody met there.
ABOUT_EVENT: Final = frozenset(Name) - {Name.LIST}
ABOUT_PARTNER: Final = frozenset({Name.LIKE, Name.DISLIKE, Name.REPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks for by the bot.

    ``user`` is the bot's own number of them, or their id here; ``event`` its number or its id.
    """

    name: Name
    user: int | UUID
    chat: int | None = None
    event: int | UUID | None = None
    partner: int | None = None
    at: datetime
    headers: Mapping[str, object] = field(default_factory=dict)
    source: str
    #: The original's bot gives none.
    message_id: str | None = None


def translate(message: Message) -> Command:
    """Return what a message asks for.

    Raises:
        Malformed: there is no command in it (that nobody waits for an answer to), or its headers don't say
            for whom or about what: then the bot is told so too.
    """
    text = message.body[:TEXT_MAX_BYTES].decode("utf-8", "replace")
    name = next((name for name in Name if name in text), None)
    if name is None:
        raise Malformed(f"Expected one of these commands in the body: {', '.join(Name)}.")
    try:
        return Command(
            name=name,
            user=_someone(message.headers, "user_id"),
            chat=_number(message.headers.get("chat_id")) or None,
            event=_someone(message.headers, "event_id") if name in ABOUT_EVENT else None,
            partner=_whole(message.headers, "partner_id") if name in ABOUT_PARTNER else None,
            at=message.delivered_at,
            headers=message.headers,
            source=message.source,
            message_id=message.message_id,
        )
    except ValueError as error:
        raise Malformed(f"{name}: {error}", answers=[answer(message.headers, NOT_UNDERSTOOD)]) from None


def answer(headers: Mapping[str, object], body: Any) -> Answer:
    """Return an answer to the bot: it knows by the headers what it is to.

    They come back as they are; without their types only where the message was replayed from a dead letter.
    """
    return Answer(
        exchange=settings.DATING_EXCHANGE, routing_key=settings.DATING_REPLY_QUEUE, body=body, headers=headers
    )


def _someone(headers: Mapping[str, object], name: str) -> int | UUID:
    """Return a number, or an id of ours."""
    value = headers.get(name)
    if isinstance(value, str) and len(value) == 36:
        try:
            return UUID(value)
        except ValueError:
            pass
    number = _number(value)
    if number is None or number < 0:
        raise ValueError(f"Expected a number or a UUID in the header {name}.")
    return number


def _whole(headers: Mapping[str, object], name: str) -> int:
    number = _number(headers.get(name))
    if number is None:
        raise ValueError(f"Expected a number in the header {name}.")
    return number


def _number(value: object) -> int | None:
    """Return a number that may have come as a string, or None if it is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > NUMBER_MAX:
        return None
    return value
