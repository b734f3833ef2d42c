"""HTTP/1.1 over kept connections: POSTs, the hot path's own client, and GETs of whole files.

aiohttp does all of HTTP; a send needs one POST, the status of the answer and one header of it. Measured,
this costs less than half (docs/adr/0012). Parsing is httptools', connecting aiohappyeyeballs'.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import aiohappyeyeballs
import httptools
from django.conf import settings
from yarl import URL

from notifications.channels.transport import guard
from notifications.channels.transport.resolver import Resolver

# The longest that an idle connection is kept, in seconds.
KEEPALIVE_S = 15.0
# Beside twice its body, an answer may have so many bytes of headers, hints, chunk sizes and trailers.
HEAD_MAX_BYTES = 65_536
# Between two looks at what is overdue, in seconds: one timer for all, since one for each costs more.
TICK_S = 0.05


class NoConnection(Exception):
    """No connection could be made; the cause says why."""


class ConnectionEnded(Exception):
    """The connection was closed or lost before an answer came; the cause, where there is one, says why."""


class Unanswered(ConnectionEnded):
    """The other side closed the connection before a byte of the answer came."""


class NotHTTP(Exception):
    """What came back is not HTTP."""


FAILURES = (NoConnection, ConnectionEnded, NotHTTP)


class Answer(NamedTuple):
    """``body`` and ``headers``, by name in lower case, are kept only where they were asked for."""

    status: int
    retry_after: str | None
    body: bytes = b""
    #: Whether the body is there to its end.
    is_whole: bool = False
    headers: Mapping[str, str] = {}

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Target:
    """What of a URL a request needs."""

    host: str
    port: int
    tls: bool
    head: bytes


# What a parser leaves as it is: people's addresses differ in their paths, and parsing each costs as much as
# writing its request. A path with "/." in it is not of these.
_PLAIN = re.compile(r"(https?://[A-Za-z0-9.:-]+)((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+)")
_HEAD = b"POST %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: Tocsin\r\nAccept-Encoding: identity\r\n"


@lru_cache(maxsize=16_384)
def target_of(url: str) -> Target:
    """Parse a URL; raises ValueError if it is none of http or https."""
    if plain := _PLAIN.fullmatch(url):
        origin, path = plain.groups()
        known, host = _parsed(origin)
        return Target(known.host, known.port, known.tls, _HEAD % (path.encode(), host))
    return _parsed(url)[0]


@lru_cache(maxsize=4096)
def _parsed(url: str) -> tuple[Target, bytes]:
    """Return what a request needs, and the value of its Host header."""
    parsed = URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.raw_host or not parsed.port:
        raise ValueError("no http or https URL")
    host = (parsed.host_subcomponent or "").encode("ascii")
    if not parsed.is_default_port():
        host += b":%d" % parsed.port
    head = _HEAD % (parsed.raw_path_qs.encode("ascii") or b"/", host)
    return Target(parsed.raw_host, parsed.port, parsed.scheme == "https", head), host


class Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self, pool: Pool, key: tuple[str, int, bool, bool]) -> None:
        self._pool = pool
        self.key = key
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._retry_after: str | None = None
        self._left = self._raw_left = 0
        # From a request to the end of its answer; whether any of it has come; whether we ended it ourselves.
        self._is_under_way = False
        self._has_answered = False
        self._is_aborted = False
        # Where the body is to be kept: what has come of it, and the status once that is known, else 0.
        self._body: bytearray | None = None
        self._status = 0
        self._headers: dict[str, str] = {}
        #: When the request under way is overdue, or when it has been idle for too long (loop time).
        self.deadline = 0.0

    def request(
        self,
        data: bytes,
        waiter: asyncio.Future[Answer],
        deadline: float,
        *,
        keep_body: bool,
        body_max_bytes: int,
    ) -> None:
        """Write a request; its answer, or what went wrong, is put into ``waiter``."""
        self._waiter, self._retry_after, self._left = waiter, None, body_max_bytes
        self._raw_left = HEAD_MAX_BYTES + 2 * body_max_bytes
        self._body, self._status = bytearray() if keep_body else None, 0
        self._headers = {}
        self._is_under_way, self._has_answered = True, False
        self.deadline = deadline
        self._transport.write(data)

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def abort(self) -> None:
        self._is_aborted = True
        self._transport.abort()

    def overdue(self) -> None:
        """End it: as a timeout for who still waits; an answer that trickles on has said all that counts."""
        self._fail(TimeoutError())
        self.abort()

    def _fail(self, error: Exception) -> None:
        if self._status:  # it has said all that counts: only the body ends early
            self._give_body()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    def _give_body(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            body, is_whole = bytes(self._body or b""), not self._is_under_way and self._left >= 0
            waiter.set_result(Answer(self._status, self._retry_after, body, is_whole, self._headers))

    # --- what asyncio calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if not self._is_under_way:  # nobody asked: the next request would take it for its answer
            self.abort()
            return
        self._has_answered = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NotHTTP())
            self.abort()
            return
        self._raw_left -= len(data)
        if self._raw_left < 0 and self._is_under_way:  # headers, or the like, without end
            self._fail(NotHTTP())
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.forget(self)
        ended = ConnectionEnded() if self._has_answered or self._is_aborted else Unanswered()
        ended.__cause__ = error
        self._fail(ended)

    # --- what httptools calls ---

    def on_message_begin(self) -> None:
        if not self._is_under_way:  # a second answer
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")
        elif self._body is not None:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # "wait" or "early hints": the answer follows
            return
        if self._body is not None:
            self._status = status
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(Answer(status, self._retry_after))

    def on_body(self, body: bytes) -> None:
        self._left -= len(body)
        if self._left < 0:
            self.abort()
        elif self._body is not None:
            self._body += body

    def on_message_complete(self) -> None:
        if not self._is_under_way or self._parser.get_status_code() < 200:
            return
        self._is_under_way = False
        if self._status:
            self._give_body()
        if self._parser.should_keep_alive() and self.is_open:
            self._pool.give_back(self)
        else:
            self._transport.close()


class Pool:
    """The connections of one event loop, by destination; users' and the operator's never mix."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._loop = asyncio.get_running_loop()
        self._busy: set[Connection] = set()
        self._idle: defaultdict[tuple[str, int, bool, bool], list[Connection]] = defaultdict(list)
        self._timer: asyncio.TimerHandle | None = None
        self.response_max_bytes: int = settings.RESPONSE_MAX_BYTES
        self._tls: ssl.SSLContext | None = None

    async def post(
        self,
        target: Target,
        *,
        headers: bytes,
        body: bytes,
        timeout_s: float,
        trusted: bool,
        on_begin: Callable[[], None] | None,
        keep_body: bool = False,
        body_max_bytes: int | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """POST once; returns as soon as the head of the answer is there, or its body where that is kept.

        A server may close a kept connection just as a request is written to it. A ``repeatable`` request is
        then written to a new one, once; but not with an ``on_begin``, which let it begin at that moment only.

        Raises:
            TimeoutError: not connected and answered within ``timeout_s``, give or take a tick.
            NoConnection, ConnectionEnded, NotHTTP: as they say.
        """
        deadline = self._loop.time() + timeout_s
        keep_bytes = body_max_bytes or self.response_max_bytes
        data = b"%bContent-Length: %d\r\n%b\r\n%b" % (target.head, len(body), headers, body)
        connection = self._taken((target.host, target.port, target.tls, trusted))
        if connection is not None:
            try:
                return await self._asked(connection, data, deadline, on_begin, keep_body, keep_bytes)
            except Unanswered:
                if on_begin is not None or not repeatable:
                    raise
        connection = await self._connected(target, trusted=trusted, deadline=deadline)
        return await self._asked(connection, data, deadline, on_begin, keep_body, keep_bytes)

    async def get(
        self, target: Target, *, headers: bytes, timeout_s: float, trusted: bool, body_max_bytes: int
    ) -> Answer:
        """GET once, on a new connection, and return the answer with its body and its headers.

        Raises as `post` does.
        """
        deadline = self._loop.time() + timeout_s
        data = b"GET%b%b\r\n" % (target.head.removeprefix(b"POST"), headers)
        connection = await self._connected(target, trusted=trusted, deadline=deadline)
        return await self._asked(connection, data, deadline, None, True, body_max_bytes)

    async def _asked(
        self,
        connection: Connection,
        data: bytes,
        deadline: float,
        on_begin: Callable[[], None] | None,
        keep_body: bool,
        body_max_bytes: int,
    ) -> Answer:
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._busy.add(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)
        try:
            if on_begin is not None:
                on_begin()
            connection.request(data, waiter, deadline, keep_body=keep_body, body_max_bytes=body_max_bytes)
            return await waiter
        except BaseException:  # cancelled, or stopped by on_begin: half a request is no use to the next
            if waiter.cancelled() or not waiter.done():  # else it may be the next one's by now
                connection.abort()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer has been read for the next request."""
        self._busy.discard(connection)
        connection.deadline = self._loop.time() + KEEPALIVE_S
        self._idle[connection.key].append(connection)

    def forget(self, connection: Connection) -> None:
        self._busy.discard(connection)
        kept = self._idle.get(connection.key)
        if kept is not None and connection in kept:
            kept.remove(connection)

    async def close(self) -> None:
        """Close every connection. Requests under way fail."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._all():
            connection.abort()
        await asyncio.sleep(0)  # lets the transports tell that they are closed
        await self._resolver.close()

    def _all(self) -> list[Connection]:
        return [*self._busy, *(each for kept in self._idle.values() for each in kept)]

    def _taken(self, key: tuple[str, int, bool, bool]) -> Connection | None:
        kept = self._idle.get(key)
        while kept:
            connection = kept.pop()
            if connection.is_open:
                return connection
        return None

    def _tick(self) -> None:
        """End what is overdue, and come again while there is anything to look after."""
        now = self._loop.time()
        for connection in self._all():
            if connection.deadline <= now:
                connection.overdue()
        self._idle = defaultdict(list, {key: kept for key, kept in self._idle.items() if kept})
        wait_s = TICK_S if self._busy else 1.0
        self._timer = self._loop.call_later(wait_s, self._tick) if self._all() else None

    async def _connected(self, target: Target, *, trusted: bool, deadline: float) -> Connection:
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._resolver.resolve(target.host, target.port)
                sock = await aiohappyeyeballs.start_connection(
                    addresses,
                    happy_eyeballs_delay=0.25,
                    loop=self._loop,
                    socket_factory=None if trusted else guard.open_socket,
                )
                key = (target.host, target.port, target.tls, trusted)
                try:
                    if target.tls and self._tls is None:
                        self._tls = ssl.create_default_context()
                    _, connection = await self._loop.create_connection(
                        lambda: Connection(self, key),
                        sock=sock,
                        ssl=self._tls if target.tls else None,
                        server_hostname=target.host.removesuffix(".") if target.tls else None,
                    )
                except BaseException:
                    sock.close()
                    raise
        except (OSError, RuntimeError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise NoConnection from error
        if not connection.is_open:  # it spoke before it was asked
            raise ConnectionEnded
        return connection
