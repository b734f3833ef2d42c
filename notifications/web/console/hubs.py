"""The hubs that serve open consoles, one for each event loop."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from config.live import Receive, Send
from notifications.hubs import Hubs
from notifications.inbox.stream import Listener
from notifications.web.console.hub import Hub
from notifications.web.console.showing import View

_hubs: Final = Hubs(Hub)
end_all, stop = _hubs.end_all, _hubs.stop


async def serve(
    listener: Listener,
    view: View,
    have: Collection[str],
    start: Mapping[str, Any],
    receive: Receive,
    send: Send,
) -> None:
    """Answer a request with a stream until it ends; ``start`` is the ASGI message that begins the answer."""
    await _hubs.of_this_loop().serve(listener, view, have, start, receive, send)


def count() -> int:
    """How many consoles are open in this process; from any thread."""
    return sum(hub.count for hub in _hubs.all())
