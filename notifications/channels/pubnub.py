"""Messages to PubNub channels, by its publish request (pubnub.com/docs, REST API, Publish)."""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from config import clock
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.transport import http_url, outcome
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session

# Bytes of a channel's name, in UTF-8.
MAX_NAME: Final = 92
# PubNub's own separators and wildcards, spaces and what can't be seen.
_NOT_IN_NAMES = re.compile(r"[,/\\*\s\x00-\x1f\x7f]")


class PubNubChannel(Channel):
    name = "pubnub"
    label = "PubNub"
    address_type = "a PubNub channel"
    address_field = "pubnub-channel"
    needs_confirmation = True

    @property
    def is_configured(self) -> bool:
        return bool(settings.PUBNUB_PUBLISH_KEY and settings.PUBNUB_SUBSCRIBE_KEY)

    def normalised_address(self, address: str) -> str:
        length = len(address.encode("utf-8", "replace"))
        if not 0 < length <= MAX_NAME or _NOT_IN_NAMES.search(address):
            raise ValidationError(
                gettext("Enter a PubNub channel: at most %(most)d bytes, without spaces and , / \\ *")
                % {"most": MAX_NAME}
            )
        return address

    def lane(self, address: str) -> str:
        return f"{http_url.lane(settings.PUBNUB_BASE_URL)}/publish"

    async def send(self, message: Message, session: Session) -> Receipt:
        if not self.is_configured:
            raise Rejected("not set up: needs PUBNUB_PUBLISH_KEY and PUBNUB_SUBSCRIBE_KEY")
        answer = await session.answer_to(
            url_of(message.address),
            body=body_of(message),
            headers={"Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            trusted=True,
            on_begin=message.on_begin,
            keep_body=True,
        )
        return receipt(answer, now=clock.now())


def url_of(channel: str) -> str:
    """Return where a message for a channel is posted to; it is not kept for those who come later."""
    keys = (settings.PUBNUB_PUBLISH_KEY, settings.PUBNUB_SUBSCRIBE_KEY)
    path = "/".join(quote(part, safe="") for part in ("publish", *keys, "0", channel, "0"))
    base = settings.PUBNUB_BASE_URL.rstrip("/")
    return f"{base}/{path}?store=0&uuid={quote(settings.PUBNUB_UUID, safe='')}"


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted; ``id`` is the same at each attempt."""
    content = {
        "id": message.delivery_id,
        "type": message.kind,
        "timestamp": message.created_at.astimezone(UTC),
        "title": message.title,
        "body": message.body,
        "severity": message.severity,
        "data": message.data,
    }
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def receipt(answer: Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer such as ``[1, "Sent", "143…"]``; raises what a refusal means. Pure."""
    receipt = outcome.judged(answer, now=now)
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return receipt
    match said:
        case [0, *_]:
            raise Rejected("refused, though answered 200", status_code=answer.status)
        case [_, _, str(timetoken), *_]:
            return Receipt(answer.status, timetoken)
    return receipt
