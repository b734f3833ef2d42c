"""One open stream: its place in the inbox, and writing to it without waiting for whoever reads slowly."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from config.live import Receive, Send
from notifications.inbox import events

Message = Mapping[str, Any]

# The last words to a client that goes on reading; to another the connection is just cut.
FAREWELL_S: Final = 1.0
# When to come back, for a client whose person has too many streams open.
TOO_MANY_RETRY_MS: Final = 60_000
STALLED, STOPPING, TOO_MANY = "stalled", "stopping", "too_many"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens from which number on (None: from now on), and what their right to do so hangs on.

    It is a log-in: the key of a session, or of a token's log-in until ``expires_at`` (Unix seconds); empty
    for a token that says of none. A change of ``credentials`` ends what was begun before.
    """

    user_id: UUID
    after: int | None
    credentials: bytes
    log_in: str
    expires_at: float | None = None
    #: Where from, as far as it is known.
    address: str = ""


class Stream:
    """At any time there is one task of the server's waiting for the client to leave, and at most one write.

    What comes while a write is under way is not kept: the stream is ``behind``, and looks again after it.
    """

    __slots__ = (
        "_behind", "_send", "_task", "_write", "after", "ended", "listener", "on_ready", "unread", "wrote_at",
    )  # fmt: skip

    def __init__(self, listener: Listener, send: Send, on_ready: Callable[[UUID], None]) -> None:
        self.listener = listener
        self.on_ready = on_ready
        self.after = listener.after
        # What it has been told; None until it has been told for the first time.
        self.unread: int | None = None
        self.ended = ""
        self.wrote_at = time.monotonic()
        self._send = send
        self._task = asyncio.current_task()
        self._write: asyncio.Task[None] | None = None
        self._behind = False

    def is_busy(self) -> bool:
        """Whether a write is under way; if so, ``on_ready`` will be called after it."""
        if self._write is None:
            return False
        self._behind = True
        return True

    def stalled_for(self, now: float) -> float:
        """For how many seconds the client has not taken what is being written."""
        return 0.0 if self._write is None else now - self.wrote_at

    def is_silent_for(self, seconds: float, now: float) -> bool:
        return self._write is None and now - self.wrote_at >= seconds

    def write(self, text: bytes) -> None:
        """Begin to write; nothing may be under way."""
        assert self._write is None
        self.wrote_at = time.monotonic()
        self._write = asyncio.get_running_loop().create_task(self._written(text))

    async def _written(self, text: bytes) -> None:
        await self._send({"type": "http.response.body", "body": text, "more_body": True})
        self._write = None
        if self._behind:
            self._behind = False
            self.on_ready(self.listener.user_id)

    def end(self, why: str) -> None:
        """Have ``last`` return; the client will come back if it may."""
        if not self.ended and self._task is not None:
            self.ended = why
            self._task.cancel()

    async def last(self, receive: Receive) -> None:
        """Wait until the client is gone or the stream is ended; in the task that made it."""
        try:
            await _gone(receive)
        except asyncio.CancelledError:
            if not self.ended or self._task is None:
                raise
            self._task.uncancel()

    async def close(self, receive: Receive) -> None:
        """Tell the client that this was all, unless it is gone; cut it off if it doesn't listen."""
        if self._write is not None:
            self._write.cancel()
        if not self.ended:
            return
        if self.ended != STALLED:
            text = events.retry(TOO_MANY_RETRY_MS) if self.ended == TOO_MANY else b""
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await self._send({"type": "http.response.body", "body": text})
                return
            except TimeoutError:
                pass
        # ASGI has no word for cutting a connection, and closing it would wait until all is read.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
            await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
