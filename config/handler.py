"""Django under ASGI with one change of threads for a request, where the stock handler makes two a middleware.

Every view here but the streams is synchronous. The stock handler takes each middleware of a synchronous
chain, each signal and the view through a thread of its own making; measured, that is most of the cost of a
small request. Here a request's whole chain runs in one thread of a fixed pool, which also keeps its
database connection. See docs/adr/0011.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import OperationalError, connection, connections
from django.http import HttpResponse
from django.urls import set_script_prefix

from config.errors import unavailable
from config.postgresql.base import DatabaseWrapper

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
# Answers a request whose status and headers are the given message.
Live = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

# Answered however many wait: whoever asks would only end the process.
LIVE = "/health/live"
TOO_MANY = "Too many requests are waiting. Nothing was changed; try again."


class LiveResponse(HttpResponse):
    """An answer that ``live`` goes on with for as long as the client stays, on the event loop.

    By then the request, this response, the thread and its connection to the database have been let go. Where
    there is no event loop (WSGI), the content is the whole answer.
    """

    def __init__(self, content: bytes, *, live: Live, **options: Any) -> None:
        super().__init__(content, **options)
        self.live = live


class Handler(ASGIHandler):
    """Serves ordinary responses from the pool's thread, and streams from the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware(is_async=False)
        self._under_way = 0
        self._threads = ThreadPoolExecutor(
            settings.WEB_THREADS, thread_name_prefix="web", initializer=_bound_statements
        )

    def connect(self) -> None:
        """Start every thread with its connection, so that no request waits for that; returns at once."""
        together = Barrier(settings.WEB_THREADS)
        for _ in range(settings.WEB_THREADS):
            self._threads.submit(_connect, together)

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        if self._under_way >= settings.WEB_WAITING_MAX + settings.WEB_THREADS and scope["path"] != LIVE:
            body.close()
            await self.send_response(unavailable(scope["path"], TOO_MANY), send)
            return
        loop = asyncio.get_running_loop()
        self._under_way += 1
        try:
            response = await loop.run_in_executor(self._threads, self._respond, scope, body)
        finally:
            self._under_way -= 1
        if isinstance(response, LiveResponse):
            live, start = response.live, _start(response)
            del response, body  # the stream may last for hours
            await live(start, receive, send)
            return
        if not response.streaming:
            await self.send_response(response, send)
            return
        try:
            await self._stream(response, receive, send)
        finally:
            await loop.run_in_executor(self._threads, response.close)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served, not {scope['type']}")
        await self.handle(scope, receive, send)

    def _respond(self, scope: dict[str, Any], body: IO[bytes]) -> Any:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self.get_response(request) if request is not None else refusal
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()  # here, since that gives back what this thread holds
        return response

    async def _stream(self, response: Any, receive: Any, send: Any) -> None:
        """Send until the response or the client ends."""
        tasks = [
            asyncio.create_task(self.listen_for_disconnect(receive)),
            asyncio.create_task(self.send_response(response, send)),
        ]
        _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, RequestAborted):
                raise result


def _bound_statements() -> None:
    """Limit what the connection of this thread may take for one statement."""
    own = connections["default"]
    assert isinstance(own, DatabaseWrapper)
    own.statement_timeout_s = settings.WEB_STATEMENT_TIMEOUT_S


def _connect(together: Barrier) -> None:
    together.wait()  # one for each thread: none may take two
    with suppress(OperationalError):  # the database may come later
        connection.ensure_connection()


def _start(response: HttpResponse) -> Mapping[str, Any]:
    """Return the ASGI message that begins this answer; its length is not known."""
    headers = [(name, value) for name, value in response.items() if name != "Content-Length"]
    headers += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    encoded = [(name.encode("ascii"), value.encode("latin1")) for name, value in headers]
    return {"type": "http.response.start", "status": response.status_code, "headers": encoded}
