"""Django under ASGI with one change of threads for a request, where the stock handler makes two a middleware.

Every view here but the streams is synchronous. A request's whole chain runs in one thread of a fixed pool,
which also keeps its database connection; see docs/adr/0011.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from io import BytesIO
from threading import Barrier
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.urls import set_script_prefix

from config import admission
from config.bodies import Bodies, Refused, refuse
from config.errors import unavailable
from config.live import LiveResponse, Send
from config.postgresql.base import set_session

# Returns the body of a 201, or None where the whole of Django is to answer.
ShortWay = Callable[[bytes, bytes, bytes], Awaitable[bytes | None]]
Headers = list[tuple[bytes, bytes]]
# Headers of a request on which nothing in an answer depends but, through the view, its content.
NEUTRAL = frozenset(
    name.encode()
    for name in (
        "accept", "accept-encoding", "accept-language", "authorization", "connection", "content-length",
        "content-type", "forwarded", "traceparent", "tracestate", "user-agent", "via", "x-forwarded-for",
        "x-real-ip", "x-request-id",
    )
)  # fmt: skip
# So many ways to look, such as by another host name, are remembered.
MOST_LOOKS = 64

# Answered however many wait: whoever asks would only end the process.
LIVE = "/health/live"
TOO_MANY = "Too many requests are waiting. Nothing was changed; try again."


class Handler(ASGIHandler):
    """Serves ordinary responses from the pool's thread, and streams from the event loop.

    A POST to one of ``short_ways`` is answered by that, if it can. The middleware does not see such a
    request; the headers are those of the last 201 that it let through for one that looked the same. Until
    there is one, requests take the long way.

    Args:
        short_ways: by path; each is given Content-Type, Authorization and the body.
    """

    def __init__(self, short_ways: Mapping[str, ShortWay] | None = None) -> None:
        super().__init__()
        self._short_ways = {} if settings.DISALLOWED_USER_AGENTS else short_ways or {}
        self._known: dict[object, Headers] = {}
        self.load_middleware(is_async=False)
        self._under_way = 0
        self._bodies = Bodies()
        # No connection of these threads may take longer than this for one statement.
        bound = partial(set_session, statement_timeout=f"{settings.WEB_STATEMENT_TIMEOUT_S}s")
        self._threads = ThreadPoolExecutor(settings.WEB_THREADS, thread_name_prefix="web", initializer=bound)

    def connect(self) -> None:
        """Start every thread with its connection, so that no request waits for that; returns at once."""
        together = Barrier(settings.WEB_THREADS)
        for _ in range(settings.WEB_THREADS):
            self._threads.submit(_connect, together)

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            scope, body = await self._bodies.take(scope, receive, self._ask)
        except RequestAborted:
            return
        except Refused as refused:
            await refuse(refused.response, receive, send)
            return
        if self._is_full(scope):
            body.close()
            await self.send_response(unavailable(ASGIRequest(scope, BytesIO()), TOO_MANY), send)
            return
        self._under_way += 1
        try:
            response = await self._response(scope, body, send)
        finally:
            self._under_way -= 1
        if response is None:
            return
        if isinstance(response, LiveResponse):
            live, headers = response.live, _encoded(response)  # of no length
            start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
            del response, body  # the stream may last for hours
            await live(start, receive, send)
            return
        if not response.streaming:
            await self.send_response(response, send)
            return
        try:
            await self._stream(response, receive, send)
        finally:
            await asyncio.get_running_loop().run_in_executor(self._threads, response.close)

    def _is_full(self, scope: Mapping[str, Any]) -> bool:
        return self._under_way >= settings.WEB_WAITING_MAX + settings.WEB_THREADS and scope["path"] != LIVE

    async def _ask(self, scope: dict[str, Any]) -> HttpResponse | None:
        """Return why a request is refused by its head alone; see ``config.admission``."""
        if self._is_full(scope):
            return unavailable(ASGIRequest(scope, BytesIO()), TOO_MANY)
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._refusal, admission.head_of(scope))
        finally:
            self._under_way -= 1

    def _refusal(self, head: dict[str, Any]) -> Any:
        set_script_prefix(get_script_prefix(head))
        signals.request_started.send(sender=self.__class__, scope=head)
        try:
            request, refusal = self.create_request(head, BytesIO())
            return refusal if request is None else admission.refusal(request)
        finally:
            signals.request_finished.send(sender=self.__class__)

    async def _response(self, scope: dict[str, Any], body: IO[bytes], send: Send) -> Any:
        """Return what Django answers; None where a short way has answered."""
        has_each_header_once = len({name for name, _ in scope["headers"]}) == len(scope["headers"])
        is_usual = scope["method"] == "POST" and has_each_header_once
        short_way = self._short_ways.get(scope["path"]) if is_usual else None
        look = _look(scope) if short_way else None
        if short_way and (headers := self._known.get(look)):
            given = dict(scope["headers"])
            kind, authorization = given.get(b"content-type", b""), given.get(b"authorization", b"")
            content = await short_way(kind, authorization, body.read())
            if content is not None:
                body.close()
                headers = [*headers, (b"Content-Length", str(len(content)).encode())]
                await send({"type": "http.response.start", "status": HTTPStatus.CREATED, "headers": headers})
                await send({"type": "http.response.body", "body": content})
                return None
            body.seek(0)
        response = await asyncio.get_running_loop().run_in_executor(self._threads, self._respond, scope, body)
        if short_way and response.status_code == HTTPStatus.CREATED and not response.cookies:
            if len(self._known) >= MOST_LOOKS:
                self._known.clear()
            self._known[look] = _encoded(response)
        return response

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


def _connect(together: Barrier) -> None:
    together.wait()  # one for each thread: none may take two
    with suppress(OperationalError):  # the database may come later
        connection.ensure_connection()


def _encoded(response: HttpResponse) -> Headers:
    headers = [(name, value) for name, value in response.items() if name != "Content-Length"]
    headers += [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
    return [(name.encode("ascii"), value.encode("latin1")) for name, value in headers]


def _look(scope: Mapping[str, Any]) -> object:
    """Return all of a request that the headers of its answer may depend on."""
    rest = tuple(header for header in scope["headers"] if header[0] not in NEUTRAL)
    return scope["path"], scope.get("scheme"), scope.get("query_string"), rest
