"""Takes the bodies of requests: within a size and a time, and little before it is known whose they are.

See docs/adr/0033.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Any, Final, Self

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.http import HttpResponse, JsonResponse

from config.live import Receive, Send

Scope = dict[str, Any]
# Says by a request's head alone why it is refused; None: it is not.
Ask = Callable[[Scope], Awaitable[HttpResponse | None]]

# Up to so many bytes, a body is kept in memory, beyond that in a file.
SPOOL_BYTES: Final = 65_536
# So long a body may take whatever its size; after that, it must keep to a least rate.
GRACE_S: Final = 10.0
# For so long is read, and thrown away, what a client goes on to send after its refusal. A connection that is
# closed sooner is reset, and many clients would not see the answer.
LINGER_S: Final = 10.0

TOO_MANY: Final = "Too many requests are still being sent. Nothing was changed; try again."
TOO_SLOW: Final = "The body did not come in time."


class Refused(Exception):
    """A body that is not taken, or not any further; ``response`` says why."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response
        super().__init__(response.status_code)


class Bodies:
    """Takes bodies, and counts those that are still on their way."""

    def __init__(self) -> None:
        self._open = 0

    async def take(self, scope: Scope, receive: Receive, ask: Ask) -> tuple[Scope, IO[bytes]]:
        """Return the body of a request from its beginning; and the scope, always with the body's length.

        Raises:
            Refused: it is too large, too slow, or from somebody who may not send so much.
            RequestAborted: the client is gone.
        """
        # The most bytes that a request to this path may bring.
        name = settings.LARGE_BODIES.get(scope["path"].rstrip("/"))
        limit = int(getattr(settings, name) if name else settings.REQUEST_MAX_BYTES)
        # The server has read it, whatever zeros it begins with; Python refuses thousands of digits.
        lengths = (value.lstrip(b"0") for name, value in scope["headers"] if name == b"content-length")
        # None where the head gives none, as that of a chunked body does.
        length = next((int(digits or b"0") for digits in lengths), None)
        if length is not None and length > limit:
            raise Refused(too_large(limit))
        allowed = min(limit, settings.REQUEST_ANONYMOUS_MAX_BYTES)
        if length is not None and length > allowed:
            await _check(ask, scope)
            allowed = limit
        try:
            async with asyncio.timeout(GRACE_S) as alarm:
                message = await receive()
                # Most come whole, and the server holds them to their length.
                if length is not None and "body" in message and not message.get("more_body", False):
                    return scope, BytesIO(message["body"])
                with _Taking(scope, receive, ask, alarm, limit=limit, allowed=allowed) as taking:
                    body = await self._rest(taking, message)
        except TimeoutError:
            raise Refused(_refusal(HTTPStatus.REQUEST_TIMEOUT, TOO_SLOW)) from None
        if length is None and taking.received:
            # DRF takes a body without a length for empty.
            size = (b"content-length", str(taking.received).encode())
            scope = {**scope, "headers": [*scope["headers"], size]}
        return scope, body

    async def _rest(self, taking: "_Taking", first: Mapping[str, Any]) -> IO[bytes]:
        if first.get("more_body", False) and self._open >= settings.REQUEST_BODIES_MAX:
            raise Refused(_refusal(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY, {"Retry-After": "2"}))
        self._open += 1
        try:
            return await taking.all(first)
        finally:
            self._open -= 1


class _Taking:
    """One body on its way; a context manager, which closes what came of one that was not taken."""

    def __init__(
        self, scope: Scope, receive: Receive, ask: Ask, alarm: asyncio.Timeout, *, limit: int, allowed: int
    ) -> None:
        self.received = 0
        self._scope, self._receive, self._ask, self._alarm = scope, receive, ask, alarm
        self._limit, self._allowed = limit, allowed
        self._began = asyncio.get_running_loop().time()
        self._spool: IO[bytes] = SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  # goes to Django

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._spool.close()

    async def all(self, first: Mapping[str, Any]) -> IO[bytes]:
        """Return the body, whose first part has come."""
        more = await self._take(first)
        while more:
            in_time = GRACE_S + self.received / settings.REQUEST_BODY_MIN_BYTES_PER_S
            self._alarm.reschedule(self._began + min(in_time, settings.REQUEST_BODY_TIMEOUT_S))
            more = await self._take(await self._receive())
        self._spool.seek(0)
        return self._spool

    async def _take(self, message: Mapping[str, Any]) -> bool:
        """Keep a part; return whether there are more."""
        if message["type"] == "http.disconnect":
            raise RequestAborted
        content = message.get("body", b"")
        self.received += len(content)
        if self.received > self._limit:
            raise Refused(too_large(self._limit))
        if self.received > self._allowed:
            await _check(self._ask, self._scope)
            self._allowed = self._limit
        self._spool.write(content)
        return bool(message.get("more_body", False))


def too_large(limit: int) -> HttpResponse:
    return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {limit} bytes.")


async def refuse(response: HttpResponse, receive: Receive, send: Send) -> None:
    """Answer a request whose body has not been read to its end, and close the connection."""
    headers = [(name.encode(), value.encode("latin1")) for name, value in response.items()]
    headers = [each for each in headers if each[0].lower() not in (b"content-length", b"connection")]
    headers += [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content, "more_body": True})
    if response.status_code != HTTPStatus.REQUEST_TIMEOUT:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while (await receive()).get("more_body"):
                    pass
    await send({"type": "http.response.body", "body": b""})


async def _check(ask: Ask, scope: Scope) -> None:
    if response := await ask(scope):
        raise Refused(response)


def _refusal(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return JsonResponse({"detail": detail}, status=status, headers=headers)
