"""The hub of the event loop that serves requests: made when somebody enters the first room."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from dating.rooms.hub import Hub, Place, Receive, Send

log = structlog.get_logger(__name__)
# One a process; several only where tests run several servers in one.
_hubs: dict[asyncio.AbstractEventLoop, tuple[Hub, asyncio.Task[None]]] = {}


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
    await _hub().serve(Place(seat, version, page, until), start, receive, send)


def end_all() -> None:
    """Let every page go, and take no more: the process is about to stop. On the loop that serves them."""
    if found := _hubs.get(asyncio.get_running_loop()):
        found[0].end_all()


async def stop() -> None:
    """End what is left, and close the connections."""
    if found := _hubs.get(asyncio.get_running_loop()):
        found[1].cancel()
        await asyncio.wait([found[1]])


def _hub() -> Hub:
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        hub = Hub()
        _hubs[loop] = hub, loop.create_task(_run(loop, hub))
    return _hubs[loop][0]


async def _run(loop: asyncio.AbstractEventLoop, hub: Hub) -> None:
    try:
        await hub.run()
    except Exception:
        # Its pages have been let go; they come back, to another.
        log.exception("dating_rooms_hub_failed")
    finally:
        del _hubs[loop]
