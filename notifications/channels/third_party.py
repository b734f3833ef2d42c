"""The default channel: posts to the third party that tells users who have no contact point of their own."""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from django.conf import settings

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected, Unavailable
from notifications.channels.transport import batch, http_url
from notifications.channels.transport.batch import Batching
from notifications.channels.transport.session import Session

# What the third party is told of an alert, in this order and nothing else.
ALERT_FIELDS = ("url", "alert_uuid", "location", "label")


class ThirdPartyChannel(Channel):
    """Its URL is the operator's (THIRD_PARTY_URL), and so trusted."""

    name = "third_party"
    address_type = "the third party's URL"
    needs_confirmation = False
    for_contacts = False
    for_programs = True
    batches = True

    def normalised_address(self, address: str) -> str:
        return str(http_url.normalised(address))

    def lane(self, address: str) -> str:
        return http_url.lane(address)

    async def send(self, message: Message, session: Session) -> Receipt:
        return await session.post(
            message.address,
            body=body_of(message),
            headers={"Content-Type": "application/json", "webhook-id": str(message.delivery_id)},
            timeout_s=self.timeout_s,
            trusted=True,
            on_begin=message.on_begin,
            repeatable=True,
        )

    @property
    def batching(self) -> Batching | None:
        if settings.THIRD_PARTY_BATCH <= 1:
            return None
        return Batching(
            settings.THIRD_PARTY_BATCH, settings.THIRD_PARTY_LINGER_MS, settings.THIRD_PARTY_BATCH_FORMAT
        )

    async def send_batch(
        self, messages: Sequence[Message], session: Session, batching: Batching
    ) -> list[Receipt | Rejected | Unavailable]:
        answer = await session.answer_to(
            messages[0].address,
            body=batch.body_of(messages, body_of, batching.format),
            headers={
                "Content-Type": batch.FORMATS[batching.format],
                "webhook-id": batch.request_id(messages),
            },
            timeout_s=self.timeout_s,
            trusted=True,
            keep_body=True,
            body_max_bytes=batch.answer_max_bytes(len(messages)),
            repeatable=True,
        )
        return batch.verdicts(answer, messages, now=datetime.now(UTC))


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted: ``target_user_uuid``, then an alert's four fields or other data."""
    data = message.data
    if message.kind == "alert":
        data = {field: data.get(field) for field in ALERT_FIELDS}
    target = str(message.user_uuid) if message.user_uuid else None
    return orjson.dumps({"target_user_uuid": target, **data})
