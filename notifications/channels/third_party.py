"""The default channel: posts to the third party that tells users who have no contact point of their own."""

import orjson

from notifications.channels import http_url
from notifications.channels.base import Channel, Message, Receipt
from notifications.channels.session import Session

# What the third party is told of an alert, in this order and nothing else.
ALERT_FIELDS = ("url", "alert_uuid", "location", "label")


class ThirdPartyChannel(Channel):
    """Its URL is the operator's (THIRD_PARTY_URL), and so trusted."""

    name = "third_party"
    address_type = "the third party's URL"
    for_contacts = False
    revocable = False

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


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted: ``target_user_uuid``, then an alert's four fields or other data."""
    data = message.data
    if message.kind == "alert":
        data = {field: data.get(field) for field in ALERT_FIELDS}
    target = str(message.user_uuid) if message.user_uuid else None
    return orjson.dumps({"target_user_uuid": target, **data})
