"""What the local providers share: they check what they get, and answer in their provider's own form."""

import json
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from tests.servers.behaviour import Reply, answer
from tests.servers.third_party import Request, ThirdParty

JSON = "Content-Type: application/json"
_OK = answer(200, JSON)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success: its status, its JSON, and headers beside."""

    status: int
    content: Any
    headers: tuple[str, ...] = ()


class Provider(ThirdParty):
    """Answers by ``answer_to``, unless told to behave otherwise (tests.servers.behaviour) or to refuse."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.refusal: Refusal | None = None

    def record(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
        reply = super().record(path, headers, body)
        if reply.head != _OK:  # told to behave otherwise
            return reply
        made = self.answer_to(self.requests[-1])
        if isinstance(made, Refusal):
            head = answer(made.status, JSON, *made.headers, body=json.dumps(made.content).encode())
        else:
            head = answer(200, JSON, body=json.dumps(made).encode())
        return replace(reply, head=head)

    @abstractmethod
    def answer_to(self, request: Request) -> Any:
        """Return a JSON value, or a refusal."""


def json_of(request: Request) -> Any:
    """Return the JSON of a request with the right content type, else None."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        return request.json
    except ValueError:
        return None
