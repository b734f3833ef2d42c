"""Text messages to phones, through Twilio."""

from django.conf import settings
from django.utils.translation import gettext_noop

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.transport import plain_text, twilio
from notifications.channels.transport.session import Session

# What Twilio takes (error 21617 beyond). It counts UTF-16 code units, as networks do.
MAX_LENGTH = 1600
_SERVICE = "MG"


class SmsChannel(Channel):
    """Creates messages by Twilio's Messages resource (twilio.com/docs/messaging/api/message-resource).

    Twilio has no idempotency key for messages: where an answer is lost on its way, the retry may tell the
    person twice. Whoever wants it otherwise sets ``attempts`` of ``sms`` to 1 in CHANNEL_POLICIES.

    Taken is not yet arrived: where PUBLIC_URL can be reached from outside, Twilio is asked to report what
    became of the message (see notifications.services.provider_reports).
    """

    name = "sms"
    label = gettext_noop("Text message")
    address_type = "a phone number in international form"
    address_field = "phone-number"
    needs_confirmation = True
    verified_as = "phone"
    digests = True
    is_private_to_one = True
    carries_account_secrets = True
    is_paid = True

    @property
    def is_configured(self) -> bool:
        return twilio.is_configured() and bool(settings.TWILIO_SMS_FROM)

    def normalised_address(self, address: str) -> str:
        return twilio.normalised_number(address)

    def lane(self, address: str) -> str:
        return twilio.lane("messages")

    async def send(self, message: Message, session: Session) -> Receipt:
        if not self.is_configured:
            raise Rejected("not set up: needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SMS_FROM")
        return await twilio.create(
            "Messages", fields_of(message), message=message, session=session, timeout_s=self.timeout_s
        )


def fields_of(message: Message) -> dict[str, str]:
    sender = settings.TWILIO_SMS_FROM
    is_service = sender.startswith(_SERVICE) and len(sender) == 34
    fields = {
        "To": message.address,
        "MessagingServiceSid" if is_service else "From": sender,
        "Body": text_of(message),
    }
    if callback := twilio.status_callback(message.delivery_id, message.attempt):
        fields["StatusCallback"] = callback
    return fields


def text_of(message: Message) -> str:
    """Return the text, cut to what Twilio takes."""
    return plain_text.text_of(message, MAX_LENGTH)
