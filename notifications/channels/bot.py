"""People whom the dating bot reaches: it is told by RabbitMQ what to pass on; the address is a chat's number.

A command goes to the bot's queue, with whom and what it is about in the headers (docs/brokers.md). What the
bot does for a kind of message is registered here by whoever sends it; all else it shows, by ``send_message``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.transport import plain_text
from notifications.channels.transport.amqp_message import AmqpMessage
from notifications.channels.transport.session import Session

#: Whose broker it is (notifications.brokers.sources).
SOURCE: Final = "dating"
#: What a Telegram bot can show, in UTF-16 code units.
MAX_LENGTH: Final = 4096
_CHAT: Final = re.compile(r"-?[1-9][0-9]{0,15}")

#: What the bot is told, in this order: the name of a command, or {name: what goes with it}.
Commands = Callable[[Message], list[Any]]

_commands: dict[str, Commands] = {}

#: Where a message has its people's numbers (Message.shared).
_NUMBERS: Final = "bot_numbers"
_read_numbers = ""


def numbers_read_by(statement: str) -> None:
    """Say how to read the bot's own numbers of the people with the ids ``%(users)s``: rows of id, number."""
    global _read_numbers
    _read_numbers = statement


def register(kind: str, commands: Commands) -> None:
    """Say what the bot is told for a kind of message."""
    _commands[kind] = commands


def commands_of(message: Message) -> list[Any]:
    if (commands := _commands.get(message.kind)) is not None:
        return commands(message)
    return [{"send_message": {"text": plain_text.text_of(message, MAX_LENGTH)}}]


class BotChannel(Channel):
    name = "bot"
    address_type = "the number of a chat with the dating bot"
    needs_confirmation = True
    digests = True

    @property
    def is_configured(self) -> bool:
        return bool(_url())

    def normalised_address(self, address: str) -> str:
        if not _CHAT.fullmatch(address):
            raise ValidationError(gettext("Enter a chat's number, such as 123456789."))
        return address

    def lane(self, address: str) -> str:
        return f"bot/{settings.DATING_REPLY_QUEUE.lower()}"[:300]

    @property
    def before_compose_sql(self) -> str:
        return _read_numbers

    def before_compose(
        self, rows: Sequence[tuple[Any, ...]], messages: Iterable[tuple[UUID | None, dict[Any, Any]]]
    ) -> None:
        numbers: dict[UUID | None, int] = dict(rows)
        for person, shared in messages:
            if person in numbers:
                shared.setdefault(_NUMBERS, {})[person] = numbers[person]

    async def send(self, message: Message, session: Session) -> Receipt:
        url = _url()
        if not url:
            raise Rejected("not set up: needs RABBITMQ_URL")
        await session.broker(url).publish(
            amqp_messages_of(message), timeout_s=self.timeout_s, on_begin=message.on_begin
        )
        return Receipt()


def amqp_messages_of(message: Message) -> list[AmqpMessage]:
    """Return what is published: each command with the delivery's id, the same at each attempt."""
    chat = int(message.address)
    # Whom the bot has no number of has come by a contact point of their own: a chat with them alone.
    number = message.shared.get(_NUMBERS, {}).get(message.user_uuid, chat)
    headers = {"user_id": number, "chat_id": chat}
    if event := message.data.get("event_number"):
        headers["event_id"] = event
    return [
        AmqpMessage(
            message_id=f"{message.delivery_id}" if place == 0 else f"{message.delivery_id}:{place}",
            exchange=settings.DATING_EXCHANGE,
            routing_key=settings.DATING_REPLY_QUEUE,
            headers=headers,
            body=command,
        )
        for place, command in enumerate(commands_of(message))
    ]


def _url() -> str:
    """Return where the bot's commands come from: what it is told goes to the same broker. Empty: nowhere."""
    url = str(settings.SOURCES.get(SOURCE, {}).get("url") or "")
    return url if url.startswith(("amqp://", "amqps://")) else ""
