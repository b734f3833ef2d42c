"""What Twilio's channels share: requests to its API, its errors, and its signed callbacks.

Formats are Twilio's own: twilio.com/docs/usage/requests-to-twilio, /docs/usage/security and /docs/errors.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from uuid import UUID

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.phones import EXTENSION
from config import clock
from notifications.channels.message import Message, Receipt
from notifications.channels.transport import http_url, outcome
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session
from notifications.reasons import Reason

#: Where Twilio reports what became of a delivery; below PUBLIC_URL.
STATUS_PATH: Final = "/api/v1/providers/twilio/status/{delivery_id}/"

Fields = Mapping[str, str | Sequence[str]]

_SID = re.compile(r"[A-Za-z0-9]{2,64}")
# "The call is not in progress": it has ended already.
_ENDED: Final = frozenset({20404, 21220})
# What the status alone does not say: the account is over a limit of messages or calls at a time.
_TOO_FAST: Final = frozenset({20429, 21611})
# In our words, since Twilio's own name the number. A code that isn't here is told by its number alone.
_ERRORS: Final[Mapping[int, str]] = {
    10001: "the account is not active",
    20003: "the credentials are not accepted",
    20005: "the account is not active",
    20404: "there is no such account or resource",
    20429: "too many requests",
    21205: "the URL of the call's instructions is not valid",
    21210: "the caller id is not verified",
    21211: "it is not a valid phone number",
    21212: "the sender is not valid",
    21214: "the number can't be reached",
    21215: "the account may not call this region",
    21216: "the account may not call this number",
    21217: "it is not a valid phone number",
    21220: "the call has ended",
    21219: "a trial account reaches verified numbers only",
    21408: "the account may not send to this region",
    21603: "a sender is needed",
    21606: "the sender can't send to this number",
    21608: "a trial account reaches verified numbers only",
    21609: "the status callback is not a valid URL",
    21610: "the person has unsubscribed by replying STOP",
    21611: "the sender's queue is full",
    21612: "there is no route from this sender to this number",
    21614: "it is not a mobile number",
    21617: "the text is too long",
    21635: "it is a landline",
    21659: "the sender is not a number of this account",
    21660: "the sender is not a number of this account",
    30001: "the sender's queue is full",
    30002: "the account is suspended",
    30003: "the handset can't be reached",
    30004: "blocked, by the person or by their network",
    30005: "the number is not known or not in service",
    30006: "a landline, or a network that can't be reached",
    30007: "filtered out by the network",
    30008: "the network did not say why",
    30034: "the sender is not registered for this country",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a message or call that Twilio had taken."""

    arrived: bool
    #: In words that hold no address, such as "undelivered: error 30003, the handset can't be reached".
    detail: str
    #: What the delivery's reason becomes, where it arrived.
    reason: Reason = Reason.DELIVERED


def is_configured() -> bool:
    return bool(settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN)


def lane(product: str) -> str:
    """Return the lane of one of the account's products, which have limits of their own."""
    return f"{http_url.lane(settings.TWILIO_BASE_URL)}/{settings.TWILIO_ACCOUNT_SID.lower()}/{product}"


# --- Requests ------------------------------------------------------------------------------------


def normalised_number(address: str) -> str:
    """Return a phone number in E.164 form.

    A number of a possible length will do: an operator knows numbers that the library's tables don't.

    Raises:
        ValidationError: it is none in international form, or has an extension.
    """
    try:
        number = phonenumbers.parse(address, None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValidationError(
            gettext("Enter a phone number in international form, such as +33 6 12 34 56 78.")
        )
    if number.extension:
        raise ValidationError(EXTENSION)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


async def create(
    resource: str, fields: Fields, *, message: Message, session: Session, timeout_s: float
) -> Receipt:
    """POST a new resource of the account (``Messages``, ``Calls``); raises what a refusal means."""
    answer = await _post(resource, fields, session=session, timeout_s=timeout_s, on_begin=message.on_begin)
    return receipt(answer, now=clock.now())


async def hang_up(call_sid: str, *, session: Session, timeout_s: float) -> bool:
    """End a call, queued, ringing or under way; False where it had ended already. Raises as `create` does."""
    resource = f"Calls/{quote(call_sid, safe='')}"
    answer = await _post(resource, {"Status": "completed"}, session=session, timeout_s=timeout_s)
    if answer.status in (400, 404) and _code_in(outcome.said(answer.body)) in _ENDED:
        return False
    receipt(answer, now=clock.now())
    return True


async def _post(
    resource: str,
    fields: Fields,
    *,
    session: Session,
    timeout_s: float,
    on_begin: Callable[[], None] | None = None,
) -> Answer:
    account = settings.TWILIO_ACCOUNT_SID
    credentials = b64encode(f"{account}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
    base = settings.TWILIO_BASE_URL.rstrip("/")
    return await session.answer_to(
        f"{base}/2010-04-01/Accounts/{quote(account, safe='')}/{resource}.json",
        body=urlencode(fields, doseq=True).encode(),
        headers={
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        timeout_s=timeout_s,
        trusted=True,
        on_begin=on_begin,
        keep_body=True,
    )


def receipt(answer: Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer; raises what a refusal means, by its status and code. Pure."""
    content = outcome.said(answer.body)
    if answer.is_success:
        sid = content.get("sid")  # of what was created; none where the answer was cut short
        return Receipt(answer.status, sid if isinstance(sid, str) and _SID.fullmatch(sid) else "")
    code = _code_in(content)
    words = f", {_in_words(code)}" if code else ""
    too_fast = code in _TOO_FAST
    if answer.status in (401, 403) and not too_fast:
        words += "; check TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and what the account may do"
    raise outcome.refusal(answer, now=now, words=words, too_fast=too_fast)


def _code_in(content: Mapping[str, Any]) -> int:
    """Return the error code of an answer such as ``{"code": 21211, "message": …, "status": 400}``, or 0."""
    code = content.get("code")
    return code if isinstance(code, int) and 0 < code < 1_000_000 else 0


def _in_words(code: int) -> str:
    words = _ERRORS.get(code)
    return f"error {code}: {words}" if words else f"error {code}"


# --- Callbacks -----------------------------------------------------------------------------------


def is_reachable() -> bool:
    """Whether PUBLIC_URL is one that Twilio would take and can reach."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".test"))


def public_url(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


def status_callback(delivery_id: UUID, attempt: int) -> str | None:
    """Return the URL to report to; None where PUBLIC_URL is not one that Twilio would take or reach."""
    if not is_reachable():
        return None
    return f"{public_url(STATUS_PATH.format(delivery_id=delivery_id))}?attempt={attempt}"


def is_machine(answered_by: str | None) -> bool:
    """Whether Twilio's ``AnsweredBy`` names an answering machine or a fax."""
    return (answered_by or "").startswith(("machine", "fax"))


def report_of(fields: Mapping[str, str]) -> Report | None:
    """Return what a status callback says (of a message or a call); None while it is on its way. Pure."""
    status = fields.get("MessageStatus") or fields.get("CallStatus") or ""
    if status in ("in-progress", "completed"):
        machine = is_machine(fields.get("AnsweredBy"))
        return Report(arrived=True, detail="", reason=Reason.VOICEMAIL if machine else Reason.ANSWERED)
    if status in ("delivered", "read"):
        return Report(arrived=True, detail="")
    if status not in ("undelivered", "failed", "busy", "no-answer", "canceled"):
        return None
    given = fields.get("ErrorCode") or ""
    code = int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 0
    return Report(arrived=False, detail=f"{status}, {_in_words(code)}" if code else status)


def live_call_in(fields: Mapping[str, str]) -> str | None:
    """Return the id of the call that a status callback says is under way; None of anything else. Pure."""
    sid = fields.get("CallSid") or ""
    is_live = fields.get("CallStatus") in ("queued", "initiated", "ringing", "in-progress")
    return sid if is_live and _SID.fullmatch(sid) else None


def signature(auth_token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """Return the ``X-Twilio-Signature`` of a form that Twilio posts. Pure.

    HMAC-SHA1 of the URL, followed by every name and value in the order of the names, in base64.
    """
    content = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(auth_token.encode(), content.encode(), "sha1")).decode()


def is_authentic(given: str, *, auth_token: str, url: str, fields: Iterable[tuple[str, str]]) -> bool:
    """Return whether a callback was signed with the auth token. Pure.

    Args:
        given: its ``X-Twilio-Signature``.
        url: the whole URL that Twilio was told to call, query included.
        fields: every field of the form, known or not: Twilio adds some without notice.
    """
    if not auth_token:  # with an empty key anybody could sign
        return False
    known, parts = list(fields), urlsplit(url)
    # With its port and without: Twilio's own libraries take either, since Twilio has signed either.
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    urls = {url, *(urlunsplit(parts._replace(netloc=each)) for each in (host, f"{host}:{port}"))}
    expected = [signature(auth_token, each, known) for each in urls]
    return any(hmac.compare_digest(each.encode(), given.encode()) for each in expected)
