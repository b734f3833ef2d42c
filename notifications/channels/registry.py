"""Every channel there is. Adding one is its module, a line here and a test file."""

from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from notifications.channels.base import Channel
from notifications.channels.bot import BotChannel
from notifications.channels.console import ConsoleChannel
from notifications.channels.email import EmailChannel
from notifications.channels.inbox import InboxChannel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.phone.channel import PhoneChannel
from notifications.channels.pubnub import PubNubChannel
from notifications.channels.push import PushChannel
from notifications.channels.sms import SmsChannel
from notifications.channels.telegram import TelegramChannel
from notifications.channels.third_party import ThirdPartyChannel
from notifications.channels.transport.session import Session
from notifications.channels.webhook import WebhookChannel
from notifications.channels.webpush import WebPushChannel

#: Stands for what is not shown.
WITHHELD: Final = "withheld"

CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        BotChannel(),
        ConsoleChannel(),
        EmailChannel(),
        InboxChannel(),
        PhoneChannel(),
        PubNubChannel(),
        PushChannel(),
        SmsChannel(),
        TelegramChannel(),
        ThirdPartyChannel(),
        WebhookChannel(),
        WebPushChannel(),
    )
}

#: Those whose texts no person reads.
FOR_PROGRAMS: Final = frozenset(name for name, channel in CHANNELS.items() if channel.for_programs)
#: Those whose addresses lead to one person alone.
PRIVATE_TO_ONE: Final = frozenset(name for name, channel in CHANNELS.items() if channel.is_private_to_one)
#: Those that may tell an address which is nobody's, and the field that holds it in a request for that.
ADDRESS_FIELDS: Final = {
    name: channel.address_field for name, channel in CHANNELS.items() if channel.address_field
}


def get(name: str) -> Channel:
    """Return a channel by name; raises KeyError if there is none."""
    return CHANNELS[name]


def for_contact(name: str, *, is_new: bool = True) -> Channel:
    """Return a channel on which people may have contact points.

    Args:
        is_new: False for a contact point that is there already: it may be changed, or switched off, though
            its channel is not set up any more.

    Raises:
        ValidationError: there is none of that name, it isn't for people, or it is not set up here.
    """
    channel = CHANNELS.get(name)
    if channel is None or not channel.for_contacts:
        raise ValidationError({"channel": gettext("Choose one of: %(channels)s.") % {"channels": _offered()}})
    if is_new and not channel.is_configured:
        message = gettext("%(name)s is not set up on this server. Choose one of: %(channels)s.") % {
            "name": name,
            "channels": _offered(),
        }
        raise ValidationError({"channel": message})
    return channel


def is_offered(name: str) -> bool:
    """Whether people can be told by a channel: there is one of that name, for people, and it is set up."""
    channel = CHANNELS.get(name)
    return channel is not None and channel.for_contacts and channel.is_configured


def _offered() -> str:
    return ", ".join(name for name in sorted(CHANNELS) if is_offered(name))


class _Unknown(Channel):
    """Stands in for a channel that has been taken out of the registry while deliveries waited for it."""

    name = "unknown"
    address_type = "nothing"
    needs_confirmation = True
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


def has_addresses(name: str) -> bool:
    """Whether whoever is told by a channel has an address on it."""
    return sendable(name).has_addresses


def shown(name: str, address: str) -> str:
    """Return an address as others than its owner may see it."""
    return WITHHELD if address and sendable(name).address_is_secret else address
