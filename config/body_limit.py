"""Refuses a request body over the limit as early as it can be known, before it is kept anywhere."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """Answers 413 for more than ``REQUEST_MAX_BYTES``, or than a path of ``LARGE_BODIES`` may have.

    The server holds a body to its Content-Length, so that the header settles it. A chunked body is read
    here, up to the limit, and given on with its length: DRF takes a body without one for empty.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        chunked, limit = False, limit_of(scope["path"])
        for name, value in scope["headers"]:
            if name == b"content-length":
                if int(value) > limit:
                    return await _refuse(send, limit)
                return await self.application(scope, receive, send)
            if name == b"transfer-encoding":
                chunked = True
        if not chunked:
            return await self.application(scope, receive, send)
        return await self._read_chunked(scope, receive, send, limit)

    async def _read_chunked(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > limit:
                return await _refuse(send, limit)
            if not message.get("more_body", False):
                break
        headers = [*scope["headers"], (b"content-length", str(len(body)).encode())]
        return await self.application({**scope, "headers": headers}, _replay(bytes(body), receive), send)


def limit_of(path: str) -> int:
    """The most bytes that a request to this path may bring."""
    name = settings.LARGE_BODIES.get(path.rstrip("/"))
    return int(getattr(settings, name) if name else settings.REQUEST_MAX_BYTES)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Mapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, limit: int) -> None:
    text = json.dumps({"detail": f"The body is larger than {limit} bytes."}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
