"""Google Meet's REST API (v2) as far as Google's client calls it for the product, with Google's quota.

In a thread: ``with Meet() as server``. Rooms are in ``spaces``; ``join`` lets somebody enter one. Formats:
https://developers.google.com/workspace/meet/api/reference/rest/v2 and RFC 6749, section 6, for the token.
"""

import asyncio
import json
import re
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.servers.behaviour import Reply, answer
from tests.servers.third_party import Connection, Request, ThirdParty

CLIENT = {"client_id": "tocsin.apps.googleusercontent.com", "client_secret": "a client's secret"}
REFRESH_TOKEN = "1//a-refresh-token"
QUOTA_S = 60.0

_OK = answer(200, "Content-Type: application/json")
_SPACE = re.compile(r"/v2/(spaces/[A-Za-z0-9_-]+)")
_END = re.compile(r"/v2/(spaces/[A-Za-z0-9_-]+):endActiveConference")
_PARTICIPANTS = re.compile(r"/v2/(conferenceRecords/[A-Za-z0-9_-]+)/participants")
_FILTER = re.compile(r'space\.name = "(spaces/[A-Za-z0-9_-]+)" AND end_time IS NULL')
# As numbers, since Google's client asks for them so: "$alt=json;enum-encoding=int".
_ACCESS = ("ACCESS_TYPE_UNSPECIFIED", "OPEN", "TRUSTED", "RESTRICTED")

Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class Space:
    """A room. ``record`` is its active conference, if there is one, and ``present`` who is in it."""

    name: str
    code: str
    access: str
    record: str = ""
    present: list[str] = field(default_factory=list)

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "name": self.name,
            "meetingUri": f"https://meet.google.com/{self.code}",
            "meetingCode": self.code,
            "config": {"accessType": _ACCESS.index(self.access), "entryPointAccess": 1},
        }
        return content | ({"activeConference": {"conferenceRecord": self.record}} if self.record else {})


class Meet(ThirdParty):
    """An HTTP server for one account."""

    def __init__(self, port: int = 0, *, quota: int = 10, obeys_access: bool = True) -> None:
        """Prepare.

        Args:
            quota: creations per minute; more are answered with 429.
            obeys_access: False for an organisation whose default wins over what is asked for at creation.
        """
        super().__init__(port)
        self.spaces: dict[str, Space] = {}
        self.ended: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.method = ""
        self._quota = quota
        self._obeys_access = obeys_access
        self._created: list[float] = []
        self._tokens: set[str] = set()

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings that lead here, but for the token file."""
        return {"GOOGLE_MEET_BASE_URL": self.origin, "GOOGLE_MEET_TOKEN_URL": f"{self.origin}/token"}

    def token_file(self, folder: Path, **changes: str) -> str:
        """Write a token file as Google's quickstart does; return its path."""
        path = folder / "token.json"
        path.write_text(json.dumps({"refresh_token": REFRESH_TOKEN, **CLIENT, **changes}))
        return str(path)

    def join(self, name: str, person: str) -> None:
        """Let somebody enter a room; the first begins a conference."""
        space = self.spaces[name]
        space.record = space.record or f"conferenceRecords/{secrets.token_urlsafe(12)}"
        space.present.append(person)

    def revoke(self) -> None:
        """Forget the access tokens that were given out."""
        self._tokens.clear()

    def new_connection(self) -> asyncio.Protocol:
        return _Connection(self, self._open)

    def record(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
        reply = super().record(path, headers, body)
        if reply.head != _OK:  # told to behave otherwise
            return reply
        status, content = self._answer(self.requests[-1])
        head = answer(status, "Content-Type: application/json", body=json.dumps(content).encode())
        return replace(reply, head=head)

    def _answer(self, request: Request) -> Answer:
        parts = urlsplit(request.path)
        self.calls.append((self.method, parts.path))
        if (self.method, parts.path) == ("POST", "/token"):
            return self._token(dict(parse_qsl(request.body.decode())))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return _fault(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if (self.method, parts.path) == ("POST", "/v2/spaces"):
            return self._create(request.json)
        if (self.method, parts.path) == ("GET", "/v2/conferenceRecords"):
            return self._records(query)
        if self.method == "PATCH" and (match := _SPACE.fullmatch(parts.path)):
            return self._patch(match[1], query, request.json)
        if self.method == "POST" and (match := _END.fullmatch(parts.path)):
            return self._end(match[1])
        if self.method == "GET" and (match := _PARTICIPANTS.fullmatch(parts.path)):
            return self._participants(match[1], query)
        return _fault(404, "NOT_FOUND", "Method not found.")

    def _token(self, form: dict[str, str]) -> Answer:
        wanted = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, **CLIENT}
        if {name: form.get(name) for name in wanted} != wanted:
            return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return 200, {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def _create(self, given: dict[str, Any]) -> Answer:
        now = time.monotonic()
        self._created = [each for each in self._created if each > now - QUOTA_S]
        if len(self._created) >= self._quota:
            return _fault(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Space creations'.")
        access = _access(given)
        if access is None:
            return _fault(400, "INVALID_ARGUMENT", "Invalid value at 'space.config.access_type'")
        self._created.append(now)
        name = f"spaces/{secrets.token_hex(6)}"
        code = f"aaa-{len(self.spaces):04d}-zzz".translate(str.maketrans("0123456789", "abcdefghij"))
        self.spaces[name] = Space(name, code, access if self._obeys_access else "TRUSTED")
        return 200, self.spaces[name].content

    def _patch(self, name: str, query: dict[str, str], given: dict[str, Any]) -> Answer:
        if name not in self.spaces:
            return _no_space()
        if query.get("updateMask") != "config.accessType":
            return _fault(400, "INVALID_ARGUMENT", "Invalid value at 'update_mask'")
        self.spaces[name].access = _access(given) or "TRUSTED"
        return 200, self.spaces[name].content

    def _end(self, name: str) -> Answer:
        space = self.spaces.get(name)
        if space is None:
            return _no_space()
        if not space.record:
            text = "There is no active conference for the given space."
            return _fault(400, "FAILED_PRECONDITION", text)
        space.record, space.present = "", []
        self.ended.append(name)
        return 200, {}

    def _records(self, query: dict[str, str]) -> Answer:
        match = _FILTER.fullmatch(query.get("filter", ""))
        if not match:
            return _fault(400, "INVALID_ARGUMENT", "Invalid filter")
        space = self.spaces.get(match[1])
        if space is None or not space.record:
            return 200, {}
        started = {"name": space.record, "space": space.name, "startTime": "2026-05-08T20:00:00Z"}
        return 200, {"conferenceRecords": [started]}

    def _participants(self, record: str, query: dict[str, str]) -> Answer:
        """Return one participant a page, so that a client that reads only the first is found out."""
        space = next((each for each in self.spaces.values() if each.record == record), None)
        if space is None:
            return _fault(404, "NOT_FOUND", "Requested entity was not found.")
        at = int(query.get("pageToken", 0))
        page = [
            {"name": f"{record}/participants/{number}", "anonymousUser": {"displayName": person}}
            for number, person in enumerate(space.present)
        ][at : at + 1]
        more = {"nextPageToken": str(at + 1)} if at + 1 < len(space.present) else {}
        return 200, {"participants": page, "totalSize": len(space.present), **more}


class _Connection(Connection):
    """Tells the server by which method it is asked."""

    def __init__(self, owner: Meet, opened: set[Any]) -> None:
        super().__init__(owner, opened)
        self._meet = owner

    def on_message_complete(self) -> None:
        self._meet.method = self._parser.get_method().decode()
        super().on_message_complete()


def _access(given: dict[str, Any]) -> str | None:
    number = given.get("config", {}).get("accessType", 2)
    return _ACCESS[number] if number in (1, 2, 3) else None


def _fault(code: int, status: str, message: str) -> Answer:
    return code, {"error": {"code": code, "message": message, "status": status}}


def _no_space() -> Answer:
    return _fault(403, "PERMISSION_DENIED", "Permission denied on resource Space (or it might not exist)")
