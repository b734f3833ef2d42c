"""The hub of the event loop that serves requests: made with the first stream."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from notifications.inbox.hub import Hub
from notifications.inbox.stream import Listener, Receive, Send

log = structlog.get_logger(__name__)
# One a process; several only where tests run several servers in one.
_hubs: dict[asyncio.AbstractEventLoop, tuple[Hub, asyncio.Task[None]]] = {}


async def serve(listener: Listener, start: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer a request with a stream until it ends; ``start`` is the ASGI message that begins the answer."""
    await _hub().serve(listener, start, receive, send)


def count() -> int:
    """How many streams are open in this process; from any thread."""
    return sum(hub.count for hub, _ in list(_hubs.values()))


def count_from(address: str) -> int:
    """How many of them are open from this address."""
    return sum(hub.by_address[address] for hub, _ in list(_hubs.values()))


def end_all() -> None:
    """Let every client go, and take no more: the process is about to stop. On the loop that serves them."""
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
        # Its streams have been ended; they come back, to another.
        log.exception("inbox_hub_failed")
    finally:
        del _hubs[loop]
