"""The hubs that serve those who are in rooms, one for each event loop."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from dating.rooms.hub import Hub, Place, Receive, Send
from notifications.hubs import Hubs

_hubs: Final = Hubs(Hub)
end_all, stop = _hubs.end_all, _hubs.stop


async def serve(
    seat: UUID,
    version: int,
    page: str,
    until: float | None,
    start: Mapping[str, Any],
    receive: Receive,
    send: Send,
) -> None:
    """Answer a request with what happens in the room; ``start`` is the ASGI message that begins it."""
    await _hubs.of_this_loop().serve(Place(seat, version, page, until), start, receive, send)
