"""Phone calls, through Twilio: what is said comes from TWILIO_TWIML_URL."""

from django.conf import settings

from accounts.validators import normalised_phone
from notifications.channels import twilio
from notifications.channels.base import Channel, Message, Receipt, Rejected
from notifications.channels.session import Session


class PhoneChannel(Channel):
    """Creates calls by Twilio's Calls resource (twilio.com/docs/voice/api/call-resource).

    As with text messages there is no idempotency key: where an answer is lost on its way, the retry may
    ring twice. A call that has been created is ``sent``; that nobody answered is reported later.
    """

    name = "phone"
    address_type = "a phone number in international form"
    revocable = True

    @property
    def is_configured(self) -> bool:
        return twilio.is_configured() and bool(settings.TWILIO_CALL_FROM and settings.TWILIO_TWIML_URL)

    def normalised_address(self, address: str) -> str:
        return normalised_phone(address)

    def lane(self, address: str) -> str:
        return twilio.lane("calls")

    async def send(self, message: Message, session: Session) -> Receipt:
        if not settings.TWILIO_CALL_FROM:
            raise Rejected("no caller id: TWILIO_CALL_FROM is not set")
        if not self.is_configured:
            raise Rejected("not set up: needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_TWIML_URL")
        return await twilio.create(
            "Calls", fields_of(message), message=message, session=session, timeout_s=self.timeout_s
        )


def fields_of(message: Message) -> dict[str, str]:
    """Return the form that is posted. Of what becomes of a call Twilio reports the end only, by default."""
    fields = {
        "To": message.address,
        "From": settings.TWILIO_CALL_FROM,
        "Url": settings.TWILIO_TWIML_URL,
        "Method": "GET",
    }
    if callback := twilio.status_callback(message.delivery_id, message.attempt):
        fields["StatusCallback"] = callback
    return fields
