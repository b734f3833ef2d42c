"""What one of a pair tells the other through the web processes; each hears of all, by a channel of Redis."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from notifications import queue

CHANNEL: Final = "dating-rooms"
#: "here": I am in the room. "offer", "answer" and "candidates" are WebRTC's. "again": please begin anew.
#: "bye": I leave.
KINDS: Final = ("here", "offer", "answer", "candidates", "again", "bye")
#: Longer texts are refused; a browser's description of a call is some 5,000 characters.
TEXT_MOST: Final = 32_000
#: A page names itself by this many characters at most.
PAGE_MOST: Final = 64
DIGITS_MOST: Final = 6


@dataclass(frozen=True, slots=True)
class Signal:
    """``page`` is the open page that it comes from, ``number`` which of its tries to connect it is for."""

    page: str
    kind: str
    number: int
    text: str


def pass_on(to: UUID, signal: Signal) -> None:
    """Have whoever is in a room by this seat hear it, if anybody is. RedisError: Redis is away."""
    said = {"page": signal.page, "kind": signal.kind, "number": signal.number, "text": signal.text}
    _publish({"to": to, "signal": said})


def take_over(seat: UUID, page: str) -> None:
    """End every other page that this seat's person has open."""
    _publish({"to": seat, "page": page})


def _publish(message: dict[str, Any]) -> None:
    queue.redis().publish(queue.channel(CHANNEL), orjson.dumps(message))
