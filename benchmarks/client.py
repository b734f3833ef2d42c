"""A lean HTTP/1.1 client for load: keep-alive connections on uvloop that cost the machine little.

The generator shares the cores with what it measures, so a full client would measure itself.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

ANSWER_TIMEOUT_S = 30.0


class Broken(Exception):
    """The server closed the connection, or answered something that is not HTTP."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post, with the head of the request made once."""

    host: str
    port: int
    head: bytes

    @classmethod
    def of(cls, url: str, headers: dict[str, str]) -> "Target":
        parts = urlsplit(url)
        lines = [
            f"POST {parts.path or '/'} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Content-Length: ",
        ]
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, "\r\n".join(lines).encode())

    def request(self, body: bytes) -> bytes:
        return self.head + str(len(body)).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""
        self.closed = False
        self.idle_since = time.monotonic()

    @classmethod
    async def open(cls, target: Target) -> "Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, target.host, target.port)
        return connection

    async def post(self, request: bytes) -> tuple[int, bytes]:
        """Send one request; return the status and the body of the answer."""
        if self._transport is None or self.closed:
            raise Broken("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._body = b""
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # What asyncio and httptools call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface of asyncio's, without being their subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Broken(f"not HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._fail(Broken(f"the server closed the connection ({error or 'in order'})"))

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        status, keep_alive = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if not keep_alive:
            self.closed = True
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, self._body))
        self.idle_since = time.monotonic()

    def _fail(self, error: Broken) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
