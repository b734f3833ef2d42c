"""Every channel there is. Adding one is its module, a line here and a test file."""

from django.core.exceptions import ValidationError

from notifications.channels.base import Channel, Message, Receipt, Rejected
from notifications.channels.console import ConsoleChannel
from notifications.channels.email import EmailChannel
from notifications.channels.inbox import InboxChannel
from notifications.channels.session import Session
from notifications.channels.third_party import ThirdPartyChannel
from notifications.channels.webhook import WebhookChannel

CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (ConsoleChannel(), EmailChannel(), InboxChannel(), ThirdPartyChannel(), WebhookChannel())
}


def get(name: str) -> Channel:
    """Return a channel by name.

    Raises:
        KeyError: there is none of that name.
    """
    return CHANNELS[name]


def for_contact(name: str) -> Channel:
    """Return a channel on which people may have contact points.

    Raises:
        ValidationError: there is none of that name, or it isn't for people.
    """
    channel = CHANNELS.get(name)
    if channel is None or not channel.for_contacts:
        allowed = ", ".join(sorted(name for name, each in CHANNELS.items() if each.for_contacts))
        raise ValidationError({"channel": f"Choose one of: {allowed}."})
    return channel


class _Unknown(Channel):
    """Stands in for a channel that has been taken out of the registry while deliveries waited for it."""

    name = "unknown"
    address_type = "nothing"
    for_contacts = False

    def normalised_address(self, address: str) -> str:
        return address

    def lane(self, address: str) -> str:
        return "unknown"

    async def send(self, message: Message, session: Session) -> Receipt:
        raise Rejected(f"there is no channel named {message.channel}")


_UNKNOWN = _Unknown()


def sendable(name: str) -> Channel:
    """Return the channel to send a stored delivery by; one that isn't there any more refuses for good."""
    return CHANNELS.get(name, _UNKNOWN)
