"""Messages by a Telegram bot (core.telegram.org/bots/api#sendmessage); the address is a chat's id or name."""

import re
from datetime import datetime
from typing import Final

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from config import clock
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.transport import http_url, outcome, plain_text
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session

# What Telegram takes, in UTF-16 code units.
MAX_LENGTH: Final = 4096
_CHAT_ID = re.compile(r"-?[1-9][0-9]{0,15}")  # at most 52 bits
_CHAT_NAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")
_BOT_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{1,100}")
# In our words, by how Telegram's own begin: theirs can name who it is about.
_ERRORS: Final = {
    "Bad Request: chat not found": "there is no such chat, or the bot is not in it",
    "Bad Request: group chat was upgraded": "the group has got another id",
    "Bad Request: message is too long": "the text is too long",
    "Forbidden: bot was blocked": "the person has blocked the bot",
    "Forbidden: bot was kicked": "the bot was put out of the chat",
    "Forbidden: bot can't initiate": "the person has never written to the bot",
    "Forbidden: user is deactivated": "the person's account is closed",
    "Unauthorized": "the bot's token is not accepted; check TELEGRAM_BOT_TOKEN",
    "Not Found": "the bot's token is not accepted; check TELEGRAM_BOT_TOKEN",
}


class TelegramChannel(Channel):
    """Telegram has no idempotency key: where an answer is lost, the person may be told twice."""

    name = "telegram"
    address_type = "a Telegram chat: its number, or the @name of a public one"
    address_field = "chat-id"
    address_may_be_number = True
    needs_confirmation = True
    digests = True
    is_private_to_one = True

    @property
    def is_configured(self) -> bool:
        return _BOT_TOKEN.fullmatch(settings.TELEGRAM_BOT_TOKEN) is not None

    def normalised_address(self, address: str) -> str:
        if _CHAT_ID.fullmatch(address):
            return address
        if _CHAT_NAME.fullmatch(address):
            return address.lower()
        raise ValidationError(
            gettext(
                "Enter a chat's number, such as 123456789 or -1001234567890, or the @name of a public one."
            )
        )

    def lane(self, address: str) -> str:
        bot = _BOT_TOKEN.fullmatch(settings.TELEGRAM_BOT_TOKEN)
        return f"{http_url.lane(settings.TELEGRAM_BASE_URL)}/bot{bot[1] if bot else ''}"

    async def send(self, message: Message, session: Session) -> Receipt:
        if not self.is_configured:
            raise Rejected("not set up: needs TELEGRAM_BOT_TOKEN, such as 123456:ABC-DEF")
        answer = await session.answer_to(
            f"{settings.TELEGRAM_BASE_URL.rstrip('/')}/bot{settings.TELEGRAM_BOT_TOKEN}/sendMessage",
            body=body_of(message),
            headers={"Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            trusted=True,
            on_begin=message.on_begin,
            keep_body=True,
        )
        return receipt(answer, now=clock.now())


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted. Without a parse mode, the text is taken as it is."""
    name = message.address
    content = {
        "chat_id": name if name.startswith("@") else int(name),
        "text": plain_text.text_of(message, MAX_LENGTH),
    }
    return orjson.dumps(content)


def receipt(answer: Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer, with the message's id; raises what a refusal means. Pure."""
    said = outcome.said(answer.body)
    description = str(said.get("description") or "")
    words = next((f": {words}" for start, words in _ERRORS.items() if description.startswith(start)), "")
    if not answer.is_success:
        parameters = said.get("parameters")
        given_s = parameters.get("retry_after") if isinstance(parameters, dict) else None
        wait_s = float(given_s) if isinstance(given_s, int) and 0 < given_s < 10**7 else None
        raise outcome.refusal(answer, now=now, words=words, wait_s=wait_s)
    if said.get("ok") is False:
        raise Rejected(f"answered {answer.status}{words}", status_code=answer.status)
    result = said.get("result")
    return Receipt(answer.status, str(result.get("message_id", "")) if isinstance(result, dict) else "")
