"""Signed webhooks (Standard Webhooks) to URLs that users give."""

from datetime import UTC

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError

from config import clock
from notifications.channels import guard, http_url, signing
from notifications.channels.base import Channel, Message, Receipt
from notifications.channels.session import Session

# Many people's URLs can be at one host: one that asks for less holds up the others no longer, in seconds.
HOLD_MAX_S = 60.0


class WebhookChannel(Channel):
    name = "webhook"
    address_type = "an http or https URL"

    def normalised_address(self, address: str) -> str:
        url = http_url.normalised(address)
        ip = http_url.literal_ip(url)
        if ip and not guard.is_allowed(ip):
            raise ValidationError(
                "Enter a URL with a public address: private and local networks are not reached."
            )
        return str(url)

    @property
    def hold_max_s(self) -> float:
        return min(HOLD_MAX_S, settings.RETRY_AFTER_MAX_S)

    def lane(self, address: str) -> str:
        return http_url.lane(address)

    async def send(self, message: Message, session: Session) -> Receipt:
        now = clock.now()
        # As str() would, in a third of its time.
        message_id = orjson.dumps(message.delivery_id)[1:-1].decode()
        body = body_of(message)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        # Signed with the contact point's secret; a URL that is nobody's has none.
        if message.contact_point_id is not None:
            headers["webhook-signature"] = signing.signatures(
                message.contact_point_id,
                version=message.secret_version,
                rotated_at=message.secret_rotated_at,
                message_id=message_id,
                body=body,
                now=now,
            )
        return await session.post(
            message.address,
            body=body,
            headers=headers,
            timeout_s=self.timeout_s,
            trusted=False,
            on_begin=message.on_begin,
            repeatable=True,
        )


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted: ``type``, ``timestamp`` (ISO 8601, UTC) and ``data``."""
    key = ("webhook", message.title, message.body)
    frame = message.shared.get(key)
    if frame is None:
        frame = message.shared[key] = _frame_of(message)
    person = message.data.get("user_id", message.user_uuid)
    return b"%b%b%b" % (frame[0], orjson.dumps(person), frame[1])


def _frame_of(message: Message) -> tuple[bytes, bytes]:
    """Return what comes before and after the person's id, which is all that differs from one to the next."""
    envelope = {"type": message.kind, "timestamp": message.created_at.astimezone(UTC)}
    data = {"title": message.title, "body": message.body, "severity": message.severity, **message.data}
    data.pop("user_id", None)
    before = orjson.dumps(envelope, option=orjson.OPT_UTC_Z)[:-1] + b',"data":{"user_id":'
    return before, b"," + orjson.dumps(data, option=orjson.OPT_UTC_Z)[1:] + b"}"
