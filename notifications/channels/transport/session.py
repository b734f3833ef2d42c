"""The connections of one event loop, kept over all its sends: HTTP to providers and webhooks, and SMTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, Self

from config import clock
from notifications.channels.message import Receipt, Rejected
from notifications.channels.transport import http1, outcome
from notifications.channels.transport.google_tokens import Tokens
from notifications.channels.transport.resolver import Resolver
from notifications.channels.transport.smtp import SmtpPool


class Session:
    """Long-lived connections of one event loop, built at their first use and closed after ``async with``."""

    def __init__(self, *, resolver: Resolver | None = None) -> None:
        """Prepare; nothing is opened yet. ``resolver`` stands in for the system's name look-up."""
        self._given_resolver = resolver
        self._brokers: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Sends that are still under way fail."""
        built = [self.__dict__[name] for name in ("google", "http", "smtp") if name in self.__dict__]
        for each in (*built, *self._brokers.values()):
            await each.close()

    @cached_property
    def http(self) -> http1.Pool:
        return http1.Pool(self._given_resolver or Resolver())

    @cached_property
    def google(self) -> Tokens:
        return Tokens(self.answer_to)

    @cached_property
    def smtp(self) -> SmtpPool:
        return SmtpPool()

    def broker(self, url: str) -> Any:
        """Return the connection to a message broker, an ``AmqpPublisher``; opened at its first use."""
        if url not in self._brokers:
            # py-amqp takes a while to load, which no start should wait for.
            module = import_module("notifications.channels.transport.amqp_publisher")
            self._brokers[url] = module.AmqpPublisher(url)
        return self._brokers[url]

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
        trusted: bool,
        on_begin: Callable[[], None] | None = None,
        repeatable: bool = False,
    ) -> Receipt:
        """POST once, following no redirect; the status of the answer decides, whatever its body does.

        At most RESPONSE_MAX_BYTES of the body are read, and none of it after the timeout.

        Args:
            timeout_s: seconds for all of it, connecting included.
            trusted: False for an address that a user gave: see `guard`.
            on_begin: called once when the request's first byte is about to be written to an open connection.
                What it raises stops the request and comes out as it is.
            repeatable: True where the receiver knows a repeat when it sees one, by an id: a request on a kept
                connection that the server closes without an answer is then sent anew, unless it is revocable.

        Raises:
            Rejected: any answer but those named here, or an address that isn't allowed.
            TooFast: 429.
            Unavailable: no connection, no answer in time, or 408 or 5xx.
        """
        answer = await self.answer_to(
            url,
            body=body,
            headers=headers,
            timeout_s=timeout_s,
            trusted=trusted,
            on_begin=on_begin,
            repeatable=repeatable,
        )
        return _receipt(answer.status) if answer.is_success else outcome.judged(answer, now=clock.now())

    async def answer_to(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
        trusted: bool,
        on_begin: Callable[[], None] | None = None,
        keep_body: bool = False,
        body_max_bytes: int | None = None,
        repeatable: bool = False,
    ) -> http1.Answer:
        """POST once as `post` does, and return the answer whatever its status is.

        For providers that say in the body what is wrong: ``keep_body`` waits for it, and returns as much
        as came in time, at most ``body_max_bytes``, or RESPONSE_MAX_BYTES.

        Raises:
            Rejected: an address that isn't allowed.
            Unavailable: no connection, or no answer in time.
        """
        target = _target_of(url)
        try:
            return await self.http.post(
                target,
                headers=_encoded(headers),
                body=body,
                timeout_s=timeout_s,
                trusted=trusted,
                on_begin=on_begin,
                keep_body=keep_body,
                body_max_bytes=body_max_bytes,
                repeatable=repeatable,
            )
        except (*http1.FAILURES, TimeoutError, UnicodeError) as error:
            # "from None": a traceback of the cause would show the URL.
            raise outcome.failure(error, timeout_s=timeout_s) from None

    async def get(
        self, url: str, *, headers: Mapping[str, str], timeout_s: float, trusted: bool, body_max_bytes: int
    ) -> http1.Answer:
        """GET once, following no redirect, and return the answer whatever its status is, with its body.

        Where the body is longer than ``body_max_bytes``, or doesn't end in time, it isn't whole.

        Raises as `answer_to` does.
        """
        target = _target_of(url)
        try:
            return await self.http.get(
                target,
                headers=_encoded(headers),
                timeout_s=timeout_s,
                trusted=trusted,
                body_max_bytes=body_max_bytes,
            )
        except (*http1.FAILURES, TimeoutError, UnicodeError) as error:
            raise outcome.failure(error, timeout_s=timeout_s) from None


def _target_of(url: str) -> http1.Target:
    try:
        return http1.target_of(url)
    except ValueError:
        raise Rejected("address is not a usable URL") from None


def _encoded(headers: Mapping[str, str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        raise Rejected("a header has a line break in it")
    return text.encode("latin-1")


_receipt = lru_cache(maxsize=128)(Receipt)
