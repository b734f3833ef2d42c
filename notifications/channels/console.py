"""Writes to the log: for trying things out on a laptop."""

import structlog
from django.conf import settings

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt
from notifications.channels.transport.session import Session

log = structlog.get_logger(__name__)


class ConsoleChannel(Channel):
    name = "console"
    address_type = "nothing"
    needs_confirmation = False
    has_addresses = False
    for_programs = True

    @property
    def is_configured(self) -> bool:
        # Whoever chose it in earnest would be told of thefts where nobody looks.
        return bool(settings.CONSOLE_OFFERED)

    def normalised_address(self, address: str) -> str:
        return ""

    def lane(self, address: str) -> str:
        return "console"

    async def send(self, message: Message, session: Session) -> Receipt:
        if message.on_begin:
            message.on_begin()
        log.info("console_message", delivery=str(message.delivery_id), kind=message.kind, title=message.title)
        return Receipt()
