"""Push messages to browsers (RFC 8030); the address is a subscription: its endpoint, ``#``, ``p256dh.auth``.

The push service passes on what only the browser can read: the JSON of `payload_of`.
"""

import os
import re
from datetime import datetime
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext
from yarl import URL

from config import clock
from notifications import urgency
from notifications.channels.base import Channel
from notifications.channels.message import Gone, Message, Receipt, Rejected
from notifications.channels.transport import guard, http_url, outcome, plain_text, web_push
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session

MAX_TITLE: Final = 200
MAX_BODY: Final = 2000
MAX_URL: Final = 1000
#: Of what is a link into something that has begun: later it leads nowhere.
SOON_S: Final = 300
# Push services take a day at most; clocks differ.
_TOKEN_S: Final = 12 * 3600
_GONE: Final = frozenset({404, 410})
_TOO_LARGE: Final = 413
_ACKNOWLEDGE: Final = re.compile(r"\s*(https?://\S+/acknowledge/[\w.-]+/)")


class WebPushChannel(Channel):
    """A repeat takes the place of the message that it repeats, at the push service and on the screen."""

    name = "webpush"
    label = "Web push"
    address_type = "a browser's subscription"
    needs_confirmation = True
    digests = True
    is_private_to_one = True
    address_is_secret = True

    @property
    def is_configured(self) -> bool:
        try:
            web_push.key_of(settings.WEB_PUSH_KEY)
        except ValueError:
            return False
        return True

    def normalised_address(self, address: str) -> str:
        endpoint, _, keys = address.partition("#")
        url = http_url.normalised(endpoint)
        ip = http_url.literal_ip(url)
        if ip and not guard.is_allowed(ip):
            raise ValidationError(
                gettext("Enter a URL with a public address: private and local networks are not reached.")
            )
        try:
            found = web_push.keys_of(keys)
        except ValueError:
            raise ValidationError(gettext("Enter a subscription with the keys of its browser.")) from None
        normal = f"{url}#{web_push.encoded(found.public)}.{web_push.encoded(found.secret)}"
        if len(normal) > http_url.MAX_LENGTH:
            raise ValidationError(gettext("Enter a valid URL."))
        return normal

    def destination(self, address: str) -> str:
        return address.partition("#")[0]

    def lane(self, address: str) -> str:
        return http_url.lane(address.partition("#")[0])

    async def send(self, message: Message, session: Session) -> Receipt:
        if not self.is_configured:
            raise Rejected("not set up: needs WEB_PUSH_KEY")
        endpoint, _, keys = message.address.partition("#")
        try:
            browser = web_push.keys_of(keys)
        except ValueError:
            raise Rejected("not a subscription") from None
        body = web_push.encrypted(
            payload_of(message),
            browser,
            sender=ec.generate_private_key(ec.SECP256R1()),
            salt=os.urandom(16),
        )
        answer = await session.answer_to(
            endpoint,
            body=body,
            headers=headers_of(message, endpoint=endpoint, now=clock.now()),
            timeout_s=self.timeout_s,
            trusted=False,
            on_begin=message.on_begin,
        )
        return receipt(answer, now=clock.now())


def public_key() -> str:
    """Return the key that browsers subscribe with; "" where none is set."""
    if not WebPushChannel().is_configured:
        return ""
    return web_push.encoded(web_push.point_of(web_push.key_of(settings.WEB_PUSH_KEY)))


def headers_of(message: Message, *, endpoint: str, now: datetime) -> dict[str, str]:
    """Return the headers of a request: for how long it is kept, how urgent it is, and who sends it."""
    urgent = not urgency.can_wait(kind=message.kind, severity=message.severity)
    lifetime_s = settings.DELIVERY_MAX_AGE_H * 3600 if urgency.can_be_late(message.kind) else SOON_S
    return {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(int(lifetime_s)),
        "Urgency": "high" if urgent else "normal",
        "Topic": web_push.encoded(message.delivery_id.bytes),
        "Authorization": web_push.vapid(
            web_push.key_of(settings.WEB_PUSH_KEY),
            audience=str(URL(endpoint).origin()),
            subject=settings.WEB_PUSH_SUBJECT,
            expires_at=int(now.timestamp()) + _TOKEN_S,
        ),
    }


def payload_of(message: Message) -> bytes:
    """Return the JSON for the service worker, at most `web_push.MAX_PLAIN` bytes of it.

    ``title``, ``body``, ``tag`` and ``severity``, and where there are any, ``url`` and ``acknowledge``: the
    link of this delivery that acknowledges, which then doesn't stand in the text.
    """
    text = "" if message.body == message.title else message.body
    content: dict[str, Any] = {
        "title": plain_text.cut(message.title, MAX_TITLE),
        "tag": str(message.delivery_id),
        "severity": message.severity,
    }
    if link := _ACKNOWLEDGE.search(text):
        content["acknowledge"] = link[1]
        with translation.override(message.language):
            content["words"] = {"acknowledge": gettext("Acknowledge")}
        text = text.replace(link[0], "")
    url = str(message.data.get("url") or "")
    if url and len(orjson.dumps(url)) <= MAX_URL:
        content["url"] = url
    # What counts are bytes, and texts are cut by characters, of which one may have six bytes in JSON.
    for limit in (MAX_BODY, 1000, 500, 200):
        payload = orjson.dumps({**content, "body": plain_text.cut(text, limit)})
        if len(payload) <= web_push.MAX_PLAIN:
            return payload
    raise Rejected("the message is too long")


def receipt(answer: Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer; raises what a refusal means. Pure."""
    if answer.is_success:
        return Receipt(answer.status)
    if answer.status in _GONE:
        raise Gone(
            f"answered {answer.status}: the subscription is not there any more", status_code=answer.status
        )
    if answer.status == _TOO_LARGE:
        raise Rejected("answered 413: the message is too long", status_code=answer.status)
    raise outcome.refusal(answer, now=now)
