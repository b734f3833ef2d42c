"""The connections of one event loop, kept over all its sends: HTTP to providers and webhooks, and SMTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from django.conf import settings
from yarl import URL

from notifications.channels import guard, outcome
from notifications.channels.base import Receipt, Rejected
from notifications.channels.resolver import PooledResolver
from notifications.channels.smtp import SmtpPool

# The longest that an idle connection is kept, in seconds.
KEEPALIVE_S = 15.0
# Reading from the socket stops at twice this, in bytes, until somebody takes the data.
READ_BUFFER_BYTES = 2**14


class Session:
    """Long-lived connections, built at their first use; one session per event loop.

    Open it by ``async with Session() as session``, or by ``Session.open()`` and ``close()``, both awaited.
    """

    def __init__(self, *, resolver: AbstractResolver | None = None) -> None:
        """Prepare; nothing is opened yet. ``resolver`` stands in for the system's name look-up."""
        self._given_resolver = resolver
        self._clients: list[aiohttp.ClientSession] = []

    @classmethod
    async def open(cls, *, resolver: AbstractResolver | None = None) -> Self:
        return cls(resolver=resolver)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Sends that are still under way fail."""
        # The last built share the connectors of the first.
        for client in reversed(self._clients):
            await client.close()
        self._clients.clear()
        if "_resolver" in self.__dict__:
            await self._resolver.close()
        if "smtp" in self.__dict__:
            await self.smtp.close()

    @cached_property
    def trusted(self) -> aiohttp.ClientSession:
        """For URLs that the operator sets: any address may be reached."""
        return self._client(aiohttp.TCPConnector(resolver=self._resolver, **_CONNECTOR))

    @cached_property
    def guarded(self) -> aiohttp.ClientSession:
        """For addresses that users give: see `guard`."""
        return self._client(
            aiohttp.TCPConnector(resolver=self._resolver, socket_factory=guard.open_socket, **_CONNECTOR)
        )

    @cached_property
    def smtp(self) -> SmtpPool:
        return SmtpPool()

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
        trusted: bool,
        on_begin: Callable[[], None] | None = None,
    ) -> Receipt:
        """POST once, following no redirect, and read at most RESPONSE_MAX_BYTES of the answer.

        Args:
            timeout_s: seconds for all of it, connecting and reading included.
            trusted: False for an address that a user gave.
            on_begin: called once when the request's first byte is about to be written to an open connection.
                What it raises stops the request and comes out as it is.

        Raises:
            Rejected: any answer but those named here, or an address that isn't allowed.
            Unavailable: no connection, no answer in time, or 408, 429 or 5xx.
        """
        if on_begin is None:
            client = self.trusted if trusted else self.guarded
        else:
            client = self._traced_trusted if trusted else self._traced_guarded
        try:
            response = await client.post(
                _parsed(url),
                data=body,
                headers=headers,
                timeout=_timeout(timeout_s),
                allow_redirects=False,
                trace_request_ctx=on_begin,
            )
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            # "from None": a traceback of the cause would show the URL.
            raise outcome.failure(error, timeout_s=timeout_s) from None
        # None: the whole answer came with its head, and the connection is back in the pool.
        if response.connection is not None:
            await _finish(response)
        if 200 <= response.status < 300:
            return _receipt(response.status)
        return outcome.receipt(response.status, response.headers, now=datetime.now(UTC))

    @cached_property
    def _traced_trusted(self) -> aiohttp.ClientSession:
        return self._client(self.trusted.connector, traced=True)

    @cached_property
    def _traced_guarded(self) -> aiohttp.ClientSession:
        return self._client(self.guarded.connector, traced=True)

    @cached_property
    def _resolver(self) -> AbstractResolver:
        return self._given_resolver or PooledResolver()

    def _client(
        self, connector: aiohttp.BaseConnector | None, *, traced: bool = False
    ) -> aiohttp.ClientSession:
        client = aiohttp.ClientSession(
            connector=connector,
            connector_owner=not traced,
            headers={"User-Agent": "Tocsin", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=READ_BUFFER_BYTES,
            trace_configs=[_begin_trace()] if traced else None,
        )
        self._clients.append(client)
        return client


# No limits: the engine caps what is under way, in all and per lane.
_CONNECTOR: dict[str, Any] = {"limit": 0, "limit_per_host": 0, "keepalive_timeout": KEEPALIVE_S}


def _begin_trace() -> aiohttp.TraceConfig:
    """A trace that calls a request's context. aiohttp fires it with the connection open, before it writes."""
    trace = aiohttp.TraceConfig()

    async def begin(
        client: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        context.trace_request_ctx()

    trace.on_request_headers_sent.append(begin)
    return trace


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read what is left of an answer, so that its connection can be used again; close it if it is too long.

    The status has said all that counts, so trouble from here on changes nothing.
    """
    left = settings.RESPONSE_MAX_BYTES
    try:
        while left >= 0 and (chunk := await response.content.readany()):
            left -= len(chunk)
    except (aiohttp.ClientError, OSError):
        pass
    finally:
        response.close()


@lru_cache(maxsize=16_384)
def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
    except ValueError:
        raise Rejected("address is not a usable URL") from None
    if parsed.scheme not in {"http", "https"}:  # aiohttp would take ws: and tcp: too
        raise Rejected("address is not a usable URL")
    return parsed


@lru_cache(maxsize=64)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    # aiohttp rounds long timeouts up to whole seconds unless told not to.
    return aiohttp.ClientTimeout(total=seconds, ceil_threshold=float("inf"))


@lru_cache(maxsize=128)
def _receipt(status: int) -> Receipt:
    return Receipt(status)
