"""Twilio's REST API as far as the product uses it: checks what it gets against Twilio's documentation.

In a thread: ``with Twilio() as server``. Every request is in ``requests``, what was created in ``messages``
and ``calls``, and can be read back. It fails as told by ``behave`` (see tests.servers.behaviour) or
``refuse``, and reports what became of a message or call by ``report``, signed. A call is answered by
``pick_up``, its keys are pressed by ``press``; a call that was ended through the API is in ``hung_up``.
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

from tests.servers import twilio_checks as checks
from tests.servers.behaviour import Reply, answer
from tests.servers.third_party import Request, ThirdParty
from tests.servers.twiml import Instructions, parse

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "fedcba9876543210" * 2

_OK = answer(200, "Content-Type: application/json")
_PATH = re.compile(
    r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/(Messages|Calls)(?:/([A-Z]{2}[0-9a-f]{32}))?\.json"
)
_ENDED = {"completed", "busy", "failed", "no-answer", "canceled"}


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
        #: The state of each message and call, by its sid.
        self.statuses: dict[str, str] = {}
        self.hung_up: list[str] = []
        self._actions: dict[str, str] = {}
        self._refusal: Callable[[dict[str, str]], checks.Fault] | None = None
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
        self.statuses[created.sid] = status
        return self._request(self.callback(created, status, **more), at=at)[0]

    def pick_up(self, call: Created, *, at: str = "", answered_by: str = "") -> Instructions:
        """Answer a call: report that, fetch its instructions and return them.

        Args:
            at: as for ``report``.
            answered_by: "human", "machine_start" …, as machine detection found.
        """
        if call.status_callback and "answered" in call.fields.get(checks.REPEATED, ""):
            self.report(call, "in-progress", at=at)
        self.statuses[call.sid] = "in-progress"
        fields = self._call_fields(call, answered_by)
        url = call.fields["Url"]
        if call.fields.get("Method", "POST") == "POST":
            return self._follow(call, self.signed(url, fields), at)
        separator = "&" if urlsplit(url).query else "?"
        return self._follow(call, self.signed(f"{url}{separator}{urlencode(fields)}", {}), at, method="GET")

    def press(self, call: Created, digits: str, *, at: str = "", answered_by: str = "") -> Instructions:
        """Press keys of a call that was picked up, and return the instructions that follow."""
        action = self._actions[call.sid]
        if not action:
            raise ValueError("no key is waited for")
        fields = {**self._call_fields(call, answered_by), "Digits": digits, "FinishedOnKey": ""}
        return self._follow(call, self.signed(action, fields), at)

    def _call_fields(self, call: Created, answered_by: str) -> dict[str, str]:
        fields = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": call.sid,
            "CallStatus": self.statuses[call.sid],
            "Direction": "outbound-api",
            "From": call.fields.get("From", ""),
            "To": call.to,
        }
        return {**fields, "AnsweredBy": answered_by} if answered_by else fields

    def _follow(self, call: Created, callback: Callback, at: str, *, method: str = "POST") -> Instructions:
        status, body = self._request(callback, at=at, method=method)
        if status != 200:
            raise ValueError(f"instructions: answered {status}")
        instructions = parse(body)
        self._actions[call.sid] = instructions.action
        return instructions

    def _request(self, callback: Callback, *, at: str, method: str = "POST") -> tuple[int, str]:
        headers = {"X-Twilio-Signature": callback.signature}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        url = at + callback.path if at else callback.url
        body = callback.body.encode() if method == "POST" else None
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, ""

    def _answer(self, request: Request) -> bytes:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        fields = checks.joined(pairs)
        match = _PATH.fullmatch(urlsplit(request.path).path)
        fault = self._fault(request, match, pairs)
        if fault is None and self._refusal:
            fault = self._refusal(fields)
        if fault or match is None:
            return self._fault_answer(fault or (404, 20404, "Not found"))
        if request.method == "GET":
            return self._read(match[2], match[3])
        if match[3]:
            return self._hang_up(match[3], fields)
        return self._create(match[2], fields)

    def _fault(
        self, request: Request, match: re.Match[str] | None, pairs: list[tuple[str, str]]
    ) -> checks.Fault | None:
        if match is None:
            return 404, 20404, f"The requested resource {request.path} was not found"
        if self._log_in(request) != (self.account_sid, self.auth_token):
            return 401, 20003, "Authenticate"
        if match[1] != self.account_sid:
            return 404, 20404, "The account was not found"
        if request.method == "GET":
            return None
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return 415, 20001, "Expected a form"
        if match[3]:
            return None
        return checks.fault_of(match[2], pairs)

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
        self.statuses[created.sid] = "accepted" if "MessagingServiceSid" in fields else "queued"
        self.changed()
        return answer(
            201, "Content-Type: application/json", body=json.dumps(self._content(resource, created)).encode()
        )

    def _content(self, resource: str, created: Created) -> dict[str, Any]:
        content: dict[str, Any] = {
            "sid": created.sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "to": created.to,
            "from": created.fields.get("From"),
            "status": self.statuses[created.sid],
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/{resource}/{created.sid}.json",
        }
        if resource == "Messages":
            content |= {"body": created.text, "error_code": None, "error_message": None}
        return content

    def _read(self, resource: str, sid: str | None) -> bytes:
        kept = self.messages if resource == "Messages" else self.calls
        chosen = [self._content(resource, each) for each in kept if sid in (None, each.sid)]
        content: dict[str, Any] = {resource.lower(): chosen, "next_page_uri": None, "page": 0}
        if sid is not None:
            if not chosen:
                return self._fault_answer((404, 20404, "The requested resource was not found"))
            (content,) = chosen
        return answer(200, "Content-Type: application/json", body=json.dumps(content).encode())

    def _hang_up(self, sid: str, fields: dict[str, str]) -> bytes:
        call = next((each for each in self.calls if each.sid == sid), None)
        if call is None:
            return self._fault_answer((404, 20404, "The requested resource was not found"))
        if fields.keys() != {"Status"} or fields["Status"] not in ("completed", "canceled"):
            return self._fault_answer((400, 20001, "Expected Status"))
        if self.statuses[sid] in _ENDED:
            return self._fault_answer((400, 21220, "Call is not in-progress. Cannot redirect."))
        self.statuses[sid] = fields["Status"]
        self.hung_up.append(sid)
        self.changed()
        return answer(
            200, "Content-Type: application/json", body=json.dumps(self._content("Calls", call)).encode()
        )

    def _fault_answer(self, fault: checks.Fault) -> bytes:
        status, code, message = fault
        content = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
        headers = ("Content-Type: application/json", *self._refusal_headers)
        return answer(status, *headers, body=json.dumps(content).encode())
