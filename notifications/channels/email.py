"""Plain-text email, with an invitation where there is one, over the operator's SMTP server."""

import re
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext

from accounts.rate_limits import mailbox_of
from config import clock
from notifications.channels import unsubscribe_links
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected
from notifications.channels.transport.domain import ascii_domain
from notifications.channels.transport.session import Session
from notifications.rules import can_be_switched_off


class _UrlHeader(UnstructuredHeader, BaseHeader):
    """A header that is a URL: goes out as it is, where others of its length would be encoded as words."""

    def fold(self, *, policy: "Policy[Any]") -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _UrlHeader)
# Long lines are encoded, so that what goes out is ASCII whatever the server can do.
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)
_UNSUBSCRIBE = {
    "en": "No more messages like this:",
    "fr": "Ne plus recevoir de tels messages :",
    "ru": "Больше не получать таких сообщений:",
}
_METHOD = re.compile(r"^METHOD:([A-Z]{1,20})\r?$", re.MULTILINE)
# Whatever could end a header line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class EmailChannel(Channel):
    name = "email"
    address_type = "an email address"
    address_field = "email"
    needs_confirmation = True
    verified_as = "email"
    digests = True
    is_private_to_one = True
    carries_account_secrets = True

    @property
    def is_configured(self) -> bool:
        return bool(settings.SMTP_HOST)

    def normalised_address(self, address: str) -> str:
        validate_email(address)
        if not address.isprintable():  # between quotes it may hold what steers a terminal
            raise ValidationError(gettext("Enter a valid email address."))
        local, _, domain = address.rpartition("@")
        try:
            domain = ascii_domain(domain)
            Address(addr_spec=f"{local}@{domain}")
        except (ValueError, LookupError):
            raise ValidationError(gettext("Enter a valid email address.")) from None
        return f"{local}@{domain}"

    def destination(self, address: str) -> str:
        return mailbox_of(address)

    def lane(self, address: str) -> str:
        return f"smtp://{settings.SMTP_HOST.lower()}:{settings.SMTP_PORT}"

    async def send(self, message: Message, session: Session) -> Receipt:
        try:
            mail = mail_of(message, now=clock.now())
        except (ValueError, LookupError):
            raise Rejected("not an email address") from None
        return await session.smtp.send(
            sender=parseaddr(settings.MAIL_FROM)[1],
            recipient=message.address,
            content=mail.as_bytes(),
            timeout_s=self.timeout_s,
            on_begin=message.on_begin,
        )


def mail_of(message: Message, *, now: datetime) -> EmailMessage:
    """Return the mail: the title as subject, the body and the data's url as text, and the data's ``ics``.

    Raises:
        ValueError, LookupError: the address can't stand in a header.
    """
    name, sender = parseaddr(settings.MAIL_FROM)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(display_name=name, addr_spec=sender)
    mail["To"] = Address(addr_spec=message.address)
    mail["Subject"] = _CONTROL.sub(" ", message.title).strip()
    mail["Date"] = format_datetime(now)
    # The same at every attempt, so that whoever gets it twice can tell.
    mail["Message-ID"] = f"<{message.delivery_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies, please
    parts = [message.body or message.title, str(message.data.get("url") or "")]
    if message.user_uuid is not None and can_be_switched_off(message.kind):
        target = unsubscribe_links.Target(message.user_uuid, message.kind, "email")
        unsubscribe = unsubscribe_links.url_of(target)
        # RFC 8058: a POST there switches it off, without anybody having to log in.
        mail["List-Unsubscribe"] = f"<{unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        words = _UNSUBSCRIBE.get(message.language, _UNSUBSCRIBE[settings.LANGUAGE_CODE])
        parts.append(f"{words} {unsubscribe}")
    mail.set_content("\n\n".join(part for part in parts if part) + "\n")
    ics = message.data.get("ics")
    if isinstance(ics, str) and ics.startswith("BEGIN:VCALENDAR") and (method := _METHOD.search(ics)):
        # An iCalendar file (RFC 6047) as mail programs want it: a form of the text, and an attachment.
        parameters = {"method": method[1]}
        mail.add_alternative(ics, subtype="calendar", params=parameters)
        mail.add_attachment(ics, subtype="calendar", filename="invitation.ics", params=parameters)
    return mail
