"""Signed webhooks (Standard Webhooks) to URLs that users give."""

from collections.abc import Sequence
from datetime import UTC

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from config import clock
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected, Unavailable
from notifications.channels.transport import batch, guard, http_url, signing
from notifications.channels.transport.batch import Batching
from notifications.channels.transport.session import Session

# Many people's URLs can be at one host: one that asks for less holds up the others no longer, in seconds.
HOLD_MAX_S = 60.0


class WebhookChannel(Channel):
    name = "webhook"
    address_type = "an http or https URL"
    address_field = "url"
    needs_confirmation = True
    for_programs = True
    is_signed = True
    batches = True

    def normalised_address(self, address: str) -> str:
        url = http_url.normalised(address)
        ip = http_url.literal_ip(url)
        if ip and not guard.is_allowed(ip):
            raise ValidationError(
                gettext("Enter a URL with a public address: private and local networks are not reached.")
            )
        return str(url)

    @property
    def hold_max_s(self) -> float:
        return min(HOLD_MAX_S, settings.RETRY_AFTER_MAX_S)

    def lane(self, address: str) -> str:
        return http_url.lane(address)

    async def send(self, message: Message, session: Session) -> Receipt:
        # As str() would, in a third of its time.
        message_id = orjson.dumps(message.delivery_id)[1:-1].decode()
        body = body_of(message)
        return await session.post(
            message.address,
            body=body,
            headers=_signed(message, message_id, body, "application/json"),
            timeout_s=self.timeout_s,
            trusted=False,
            on_begin=message.on_begin,
            repeatable=True,
        )

    async def send_batch(
        self, messages: Sequence[Message], session: Session, batching: Batching
    ) -> list[Receipt | Rejected | Unavailable]:
        body = batch.body_of(messages, data_of, batching.format)
        media_type = batch.FORMATS[batching.format]
        answer = await session.answer_to(
            messages[0].address,
            body=body,
            # The last was claimed last, and knows the secret of now.
            headers=_signed(messages[-1], batch.request_id(messages), body, media_type),
            timeout_s=self.timeout_s,
            trusted=False,
            keep_body=True,
            body_max_bytes=batch.answer_max_bytes(len(messages)),
            repeatable=True,
        )
        return batch.verdicts(answer, messages, now=clock.now())


def _signed(message: Message, request_id: str, body: bytes, media_type: str) -> dict[str, str]:
    """Return the headers of a request, with its signature."""
    now = clock.now()
    headers = {
        "Content-Type": media_type,
        "webhook-id": request_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    # Signed with the contact point's secret; a URL that is nobody's has none.
    if message.contact_point_id is not None:
        headers["webhook-signature"] = signing.signatures(
            message.contact_point_id,
            version=message.secret_version,
            rotated_at=message.secret_rotated_at,
            message_id=request_id,
            body=body,
            now=now,
        )
    return headers


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted: ``type``, ``timestamp`` (ISO 8601, UTC) and ``data``."""
    before, after, _ = _frame_of(message)
    person = message.data.get("user_id", message.user_uuid)
    return b"%b%b%b" % (before, orjson.dumps(person), after)


def data_of(message: Message) -> bytes:
    return body_of(message)[_frame_of(message)[2] : -1]


def _frame_of(message: Message) -> tuple[bytes, bytes, int]:
    """Return what is around the person's id, in which alone messages differ, and where ``data`` begins."""
    key = ("webhook", message.title, message.body)
    frame: tuple[bytes, bytes, int] | None = message.shared.get(key)
    if frame is None:
        envelope = {"type": message.kind, "timestamp": message.created_at.astimezone(UTC)}
        data = {"title": message.title, "body": message.body, "severity": message.severity, **message.data}
        data.pop("user_id", None)
        before = orjson.dumps(envelope, option=orjson.OPT_UTC_Z)[:-1] + b',"data":'
        after = b"," + orjson.dumps(data, option=orjson.OPT_UTC_Z)[1:] + b"}"
        frame = message.shared[key] = (before + b'{"user_id":', after, len(before))
    return frame
