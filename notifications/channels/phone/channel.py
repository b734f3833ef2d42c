"""Phone calls, through Twilio: what they say comes from the product itself, or from TWILIO_TWIML_URL."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID
from xml.sax.saxutils import escape

from django.conf import settings
from django.utils.translation import gettext_noop

from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.phone import caller_ids
from notifications.channels.transport import plain_text, twilio
from notifications.channels.transport.session import Session

#: Where the product says what a call says; below PUBLIC_URL.
VOICE_PATH: Final = "/voice/{delivery_id}/"
_CODES: Final = "account"
# What a call of these says differs from call to call (a key to press, a code).
_said_here = {_CODES}
_EVENTS: Final = ("initiated", "ringing", "answered", "completed")


def say_here(kind: str) -> None:
    """Have the product itself say what is told by calls of this kind, or group of kinds."""
    _said_here.add(kind)


class PhoneChannel(Channel):
    """Creates calls by Twilio's Calls resource (twilio.com/docs/voice/api/call-resource).

    As with text messages there is no idempotency key: where an answer is lost on its way, the retry may
    ring twice. A call that has been created is ``sent``; that nobody answered is reported later.
    """

    name = "phone"
    label = gettext_noop("Phone call")
    address_type = "a phone number in international form"
    address_field = "phone-number"
    needs_confirmation = True
    verified_as = "phone"
    revocable = True
    is_paid = True
    is_spoken = True

    @property
    def is_configured(self) -> bool:
        return _has_account() and caller_ids.are_there()

    def normalised_address(self, address: str) -> str:
        return twilio.normalised_number(address)

    def lane(self, address: str) -> str:
        return twilio.lane("calls")

    @property
    def before_compose_sql(self) -> str:
        return caller_ids.READ

    def before_compose(
        self, rows: Sequence[tuple[Any, ...]], messages: Iterable[tuple[UUID | None, dict[Any, Any]]]
    ) -> None:
        caller_ids.use(rows)

    async def send(self, message: Message, session: Session) -> Receipt:
        caller_id = caller_ids.caller_id(message.address)
        if not caller_id:
            raise Rejected("no caller id: the registry has none for this number, and no default")
        if not _has_account():
            raise Rejected("not set up: needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_TWIML_URL")
        fields = fields_of(message, caller_id)
        return await twilio.create(
            "Calls", fields, message=message, session=session, timeout_s=self.timeout_s
        )


def fields_of(message: Message, caller_id: str) -> dict[str, str | tuple[str, ...]]:
    """Return the form that is posted. Every step of the call is reported, where Twilio can reach us."""
    fields: dict[str, str | tuple[str, ...]] = {"To": message.address, "From": caller_id}
    group = message.kind.partition(".")[0]
    if twilio.is_reachable() and (group in _said_here or not settings.TWILIO_TWIML_URL):
        fields["Url"] = twilio.public_url(VOICE_PATH.format(delivery_id=message.delivery_id))
        if settings.TWILIO_MACHINE_DETECTION:
            fields["MachineDetection"] = "Enable"
    elif group == _CODES:
        # What it says, for where Twilio can't ask for it (twilio.com/docs/voice/twiml/say).
        language = {"fr": "fr-FR", "ru": "ru-RU"}.get(message.language, "en-US")
        said = escape(plain_text.cut(message.body, 600))
        fields["Twiml"] = f'<Response><Say language="{language}" loop="2">{said}</Say></Response>'
    else:
        fields["Url"] = settings.TWILIO_TWIML_URL
    fields["Method"] = "GET"
    if callback := twilio.status_callback(message.delivery_id, message.attempt):
        fields["StatusCallback"] = callback
        fields["StatusCallbackEvent"] = _EVENTS
    return fields


def _has_account() -> bool:
    return twilio.is_configured() and bool(settings.TWILIO_TWIML_URL or twilio.is_reachable())
