"""The hubs that serve the streams of inboxes, one for each event loop."""

from collections.abc import Mapping
from typing import Any, Final

from config.live import Receive, Send
from notifications.hubs import Hubs
from notifications.inbox.hub import Hub
from notifications.inbox.stream import Listener

_hubs: Final = Hubs(Hub)
end_all, stop = _hubs.end_all, _hubs.stop


async def serve(listener: Listener, start: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer a request with a stream until it ends; ``start`` is the ASGI message that begins the answer."""
    await _hubs.of_this_loop().serve(listener, start, receive, send)


def count() -> int:
    """How many streams are open in this process; from any thread."""
    return sum(hub.count for hub in _hubs.all())


def count_from(address: str) -> int:
    """How many of them are open from this address."""
    return sum(hub.by_address[address] for hub in _hubs.all())
