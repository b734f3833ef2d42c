"""The product's own inbox: the stored delivery is the message."""

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt
from notifications.channels.transport.session import Session


class InboxChannel(Channel):
    name = "inbox"
    address_type = "nothing"
    needs_confirmation = False
    has_addresses = False
    instant = True

    def normalised_address(self, address: str) -> str:
        return ""

    def lane(self, address: str) -> str:
        return "inbox"

    async def send(self, message: Message, session: Session) -> Receipt:
        if message.on_begin:
            message.on_begin()
        return Receipt()
