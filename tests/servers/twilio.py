"""Twilio's REST API as far as the product uses it: checks what it gets against Twilio's documentation.

In a thread: ``with Twilio() as server``. Every request is in ``requests``, what was created in ``messages``
and ``calls``. It fails as told by ``behave`` (see tests.servers.behaviour) or ``refuse``, and reports what
became of a message or call by ``report``, signed.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.servers.behaviour import Reply, answer
from tests.servers.third_party import Request, ThirdParty

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "fedcba9876543210" * 2

_OK = answer(200, "Content-Type: application/json")
_PATH = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/(Messages|Calls)\.json")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_KNOWN = {
    "Messages": {"To", "From", "MessagingServiceSid", "Body", "StatusCallback"},
    "Calls": {"To", "From", "Url", "Method", "StatusCallback", "StatusCallbackMethod"},
}

Fault = tuple[int, int, str]  # status, code and message


@dataclass(frozen=True, slots=True)
class Created:
    """A message or call that was taken. ``fields`` is the form that asked for it."""

    sid: str
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def to(self) -> str:
        return self.fields["To"]

    @property
    def text(self) -> str:
        return self.fields["Body"]

    @property
    def status_callback(self) -> str:
        return self.fields.get("StatusCallback", "")


@dataclass(frozen=True, slots=True)
class Callback:
    """A signed POST of Twilio's, ready to be made."""

    url: str
    body: str
    signature: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


class Twilio(ThirdParty):
    """An HTTP server for one account."""

    def __init__(
        self, port: int = 0, *, account_sid: str = ACCOUNT_SID, auth_token: str = AUTH_TOKEN
    ) -> None:
        super().__init__(port)
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.messages: list[Created] = []
        self.calls: list[Created] = []
        self._refusal: Callable[[dict[str, str]], Fault] | None = None
        self._refusal_headers: tuple[str, ...] = ()

    def refuse(self, status: int, code: int, message: str = "Refused: {To}", *headers: str) -> None:
        """Answer so from now on, in Twilio's form; the message may name fields, as Twilio's do."""
        self._refusal = lambda fields: (status, code, message.format_map(fields))
        self._refusal_headers = headers

    def accept(self) -> None:
        """Refuse no more."""
        self._refusal, self._refusal_headers = None, ()

    def record(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
        reply = super().record(path, headers, body)
        if reply.head != _OK:  # told to behave otherwise
            return reply
        return replace(reply, head=self._answer(self.requests[-1]))

    def callback(self, created: Created, status: str, **more: str) -> Callback:
        """Return the report that a message or call has got so far, as Twilio would post and sign it."""
        kind = "Call" if created.sid.startswith("CA") else "Message"
        fields = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "From": created.fields.get("From", ""),
            "To": created.to,
            f"{kind}Sid": created.sid,
            f"{kind}Status": status,
            **more,
        }
        return self.signed(created.status_callback, fields)

    def signed(self, url: str, fields: dict[str, str]) -> Callback:
        """Sign as https://www.twilio.com/docs/usage/security says."""
        text = url
        for name in sorted(fields):
            text += name + fields[name]
        mac = hmac.new(self.auth_token.encode(), text.encode(), hashlib.sha1)
        return Callback(url, urlencode(fields), base64.b64encode(mac.digest()).decode())

    def report(self, created: Created, status: str, *, at: str = "", **more: str) -> int:
        """Post a report over HTTP and return the status that comes back.

        Args:
            at: the origin to connect to, where no name leads to the one of the callback.
        """
        callback = self.callback(created, status, **more)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": callback.signature,
        }
        url = at + callback.path if at else callback.url
        request = urllib.request.Request(url, callback.body.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def _answer(self, request: Request) -> bytes:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        fields = dict(pairs)
        match = _PATH.fullmatch(request.path)
        fault = self._fault(request, match, pairs)
        if fault is None and self._refusal:
            fault = self._refusal(fields)
        if fault or match is None:
            return self._fault_answer(fault or (404, 20404, "Not found"))
        return self._create(match[2], fields)

    def _fault(
        self, request: Request, match: re.Match[str] | None, pairs: list[tuple[str, str]]
    ) -> Fault | None:
        if match is None:
            return 404, 20404, f"The requested resource {request.path} was not found"
        if self._log_in(request) != (self.account_sid, self.auth_token):
            return 401, 20003, "Authenticate"
        if match[1] != self.account_sid:
            return 404, 20404, "The account was not found"
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return 415, 20001, "Expected a form"
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)) or not set(names) <= _KNOWN[match[2]]:
            return 400, 20001, "A parameter is not known, or is given twice"
        fields = dict(pairs)
        if not fields.get("To"):
            return 400, 21604, "A 'To' phone number is required."
        if not _E164.fullmatch(fields["To"]):
            return 400, 21211, f"The 'To' number {fields['To']} is not a valid phone number."
        callback = fields.get("StatusCallback")
        if callback is not None and not _is_reachable(callback):
            return 400, 21609, f"The StatusCallback URL {callback} is not a valid URL."
        return _message_fault(fields) if match[2] == "Messages" else _call_fault(fields)

    def _log_in(self, request: Request) -> tuple[str, str]:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return (name, password) if scheme == "Basic" else ("", "")

    def _create(self, resource: str, fields: dict[str, str]) -> bytes:
        kept, prefix = (self.messages, "SM") if resource == "Messages" else (self.calls, "CA")
        created = Created(f"{prefix}{len(kept):032x}", fields)
        kept.append(created)
        self.changed()
        in_service = "MessagingServiceSid" in fields
        content: dict[str, Any] = {
            "sid": created.sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "to": created.to,
            "from": fields.get("From"),
            "status": "accepted" if in_service else "queued",
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/{resource}/{created.sid}.json",
        }
        if resource == "Messages":
            content |= {"body": created.text, "error_code": None, "error_message": None}
        return answer(201, "Content-Type: application/json", body=json.dumps(content).encode())

    def _fault_answer(self, fault: Fault) -> bytes:
        status, code, message = fault
        content = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
        headers = ("Content-Type: application/json", *self._refusal_headers)
        return answer(status, *headers, body=json.dumps(content).encode())


def _message_fault(fields: dict[str, str]) -> Fault | None:
    sender, service = fields.get("From"), fields.get("MessagingServiceSid")
    if not sender and not service:
        return 400, 21603, "A 'From' phone number is required."
    if sender and not any(each.fullmatch(sender) for each in (_E164, _SENDER_NAME, _SHORT_CODE)):
        return 400, 21212, f"The 'From' number {sender} is not a valid phone number."
    if service and not _SERVICE_SID.fullmatch(service):
        return 400, 21701, "The Messaging Service does not exist."
    text = fields.get("Body", "")
    if not text:
        return 400, 21602, "Message body is required."
    if len(text.encode("utf-16-le")) // 2 > 1600:
        return 400, 21617, "The concatenated message body exceeds the 1600 character limit"
    return None


def _call_fault(fields: dict[str, str]) -> Fault | None:
    if not _E164.fullmatch(fields.get("From", "")):
        return 400, 21212, f"The 'From' number {fields.get('From')} is not a valid phone number."
    if urlsplit(fields.get("Url", "")).scheme not in {"http", "https"}:
        return 400, 21205, "Url is not a valid URL"
    if fields.get("Method", "POST") not in {"GET", "POST"}:
        return 400, 21403, "Method is not valid"
    return None


def _is_reachable(url: str) -> bool:
    """A URL of a host with a name that the internet may know; underscores are not allowed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme in {"http", "https"} and "." in host and "_" not in host and host != "127.0.0.1"
