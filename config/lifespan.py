"""Start and stop of the process, as the ASGI server tells of them."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from config.live import Receive, Send

Scope = dict[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OnSignal = Callable[[int, FrameType | None], None]


class Lifespan:
    """Answers the server's lifespan events, and calls ``on_stopping`` as soon as the process is told to stop.

    The server itself says so only when every request has been answered, which a stream never is: without
    this, a process with an open stream would not end.
    """

    def __init__(
        self,
        application: Application,
        *,
        on_starting: Callable[[], None],
        on_stopping: Callable[[], None],
        on_stopped: Callable[[], Awaitable[None]],
    ) -> None:
        self.application = application
        self.on_starting = on_starting
        self.on_stopping = on_stopping
        self.on_stopped = on_stopped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self.application(scope, receive, send)
        await receive()
        self.on_starting()
        # Stand before the server's own handlers of the signals to stop, where it has any.
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                # The default handler of SIGINT raises: then the server has none of its own.
                if callable(handler) and handler is not signal.default_int_handler:
                    signal.signal(number, self._before(handler, loop))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.on_stopped()
        await send({"type": "lifespan.shutdown.complete"})
        return None

    def _before(self, handler: OnSignal, loop: asyncio.AbstractEventLoop) -> OnSignal:
        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.on_stopping)
            handler(number, frame)

        return handle
