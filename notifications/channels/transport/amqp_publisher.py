"""A connection to a message broker on which an event loop publishes: what waits at one time goes together.

py-amqp waits by blocking, so it has a thread of its own. Imported when it is first needed: it takes a while.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import orjson
from amqp import Connection
from amqp import Message as EncodedMessage
from amqp.exceptions import AccessRefused, AMQPError, ChannelError, MessageNacked
from kombu.utils.url import parse_url

from notifications.channels.message import Away, Rejected, Unavailable
from notifications.channels.transport.amqp_message import AmqpMessage

#: AMQP's own codes (0-9-1, 1.8): the message is refused, and would be again.
REFUSED: Final = frozenset({311, 403, 406, 540})
#: No exchange of this name, or no queue: the bot, or the consumer of its commands, has not made them yet.
NOBODY_THERE: Final = frozenset({312, 404})
#: A broker that does not take a message, for want of room: RabbitMQ's negative acknowledgement has no code.
NACKED: Final = 506
#: A connection that was used so many seconds ago is asked whether it still lives, and takes anything.
FRESH_S: Final = 1.0
#: The queue that is asked for then; there is none of this name (docs/adr/0044).
QUESTION: Final = "tocsin.is-anybody-there"
#: Longest time, in seconds, until there is a connection: less than a send has, whose attempt would count.
CONNECT_S: Final = 5.0
#: Sends whose messages are published together: the broker confirms many at little more than the price of one.
AT_ONCE: Final = 64
PERSISTENT: Final = 2

_T = TypeVar("_T")


class BlockedError(ConnectionError):
    """The broker is there, and takes nothing that is published."""


class NotReached(Exception):
    """There is no broker that would take anything: nothing was published."""


class AmqpPublisher:
    """Belongs to one event loop. Connects when it is needed, and anew after any failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[_Publication] = deque()
        self._work: asyncio.Task[None] | None = None
        self._connection: _Connection | None = None

    async def publish(
        self,
        messages: Sequence[AmqpMessage],
        *,
        timeout_s: float,
        on_begin: Callable[[], None] | None = None,
    ) -> None:
        """Publish messages in their order, persistently; returns once the broker has confirmed each.

        Args:
            timeout_s: seconds for all of it, connecting included.
            on_begin: called once there is a connection, right before the first is published.

        Raises:
            Rejected: the broker refuses them.
            Away: it can't be reached, or takes nothing from anybody; none has been published.
            Unavailable: it has not confirmed them in time, or has no queue for them. Some may have arrived
                all the same; they have the same ids when they come again.
        """
        publication = _Publication(messages, on_begin, timeout_s)
        self._waiting.append(publication)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._publish_what_waits())
        try:
            async with asyncio.timeout(timeout_s):
                await publication.done
        except TimeoutError:
            kind = Unavailable if publication.has_begun else Away
            raise kind(f"timed out after {timeout_s:g} s") from None
        except NotReached as error:
            raise Away(str(error)) from None
        except (AMQPError, OSError) as error:
            # "from None": a traceback of the cause would show where the broker is.
            raise _failure(error) from None

    async def close(self) -> None:
        """Leave; sends that are under way fail."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for publication in self._waiting:
            publication.settle(ConnectionError("closed"))
        self._drop()

    async def _publish_what_waits(self) -> None:
        while batch := self._next():
            try:
                await self._deliver(batch)
            except NotReached as error:
                self._drop()
                # Nor could any of those that wait behind these be published.
                for publication in (*batch, *self._waiting):
                    publication.settle(error)
                self._waiting.clear()
            except BaseException as error:
                self._drop()
                is_its_own = isinstance(error, AMQPError | OSError)
                for publication in batch:
                    publication.settle(error if is_its_own else ConnectionError("closed"))
                if not is_its_own:
                    raise

    def _next(self) -> "list[_Publication]":
        """Take what waits, oldest first, but for what was given up; what harmed its neighbours goes alone."""
        batch: list[_Publication] = []
        while self._waiting and len(batch) < AT_ONCE:
            if self._waiting[0].alone and batch:
                break
            publication = self._waiting.popleft()
            if not publication.done.done():
                batch.append(publication)
            if publication.alone and batch:
                break
        return batch

    async def _deliver(self, batch: "Sequence[_Publication]") -> None:
        if self._connection is not None and not await self._connection.run(self._connection.is_alive):
            self._drop()
        if self._connection is None:
            self._connection = _Connection(self._url, batch[0].timeout_s)
            try:
                await self._connection.run(self._connection.open)
            except (AMQPError, OSError) as failure:
                raise NotReached(_failure(failure)) from None
        connection = self._connection
        begun = [publication for publication in batch if publication.begin()]
        messages = [message for publication in begun for message in publication.messages]
        left_s = max((publication.left_s for publication in begun), default=0.0)
        results = iter(await connection.run(partial(connection.publish, messages, left_s)))
        if connection.is_broken:
            self._drop()
        for publication in begun:
            errors = [error for _ in publication.messages if (error := next(results)) is not None]
            if errors and isinstance(errors[0], ChannelError) and connection.is_broken and len(begun) > 1:
                # The broker ends the channel for one that it refuses, whichever it was.
                publication.alone = True
                self._waiting.appendleft(publication)
            else:
                publication.settle(errors[0] if errors else None)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()


class _Publication:
    """The messages of one send, and what became of them."""

    def __init__(
        self, messages: Sequence[AmqpMessage], on_begin: Callable[[], None] | None, timeout_s: float
    ) -> None:
        # Written out now: what can't be is the fault of whoever sends it, and of nobody beside them.
        self.messages = [(message, _encoded(message)) for message in messages]
        self.timeout_s = timeout_s
        self.alone = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.has_begun = False
        self._ends = time.monotonic() + timeout_s
        self._on_begin = on_begin

    @property
    def left_s(self) -> float:
        return max(self._ends - time.monotonic(), 0.001)

    def begin(self) -> bool:
        """Note that it goes out now; false where it must not any more, or has been given up."""
        if self.done.done():
            return False
        if self._on_begin is not None:
            try:
                self._on_begin()
            except Exception as error:  # for whoever sends to know
                self.done.set_exception(error)
                return False
            self._on_begin = None
        self.has_begun = True
        return True

    def settle(self, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class _Connection:
    """One connection, and the one thread that uses it."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.is_broken = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="amqp-publisher")
        self._connect_s = min(timeout_s, CONNECT_S)
        self._connection = Connection(
            **_place_of(url),
            connect_timeout=self._connect_s,
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            on_blocked=self._blocked,
        )
        self._is_blocked = False
        self._may_ask = True
        self._channel: Any = None
        self._used_at = 0.0
        #: The broker numbers what is published from 1; which message of the batch each unconfirmed one is.
        self._published = 0
        self._open: dict[int, int] = {}
        self._places: dict[str, int] = {}
        self._results: list[AMQPError | OSError | None] = []

    async def run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def open(self) -> None:
        """Connect, and see that the broker takes what is published."""
        self._connection.connect()
        self._open_channel()
        try:
            self._ask()
        except AccessRefused:
            # Whoever may write to some exchanges only goes without.
            self._may_ask = False
            self._open_channel()

    def is_alive(self) -> bool:
        """Look whether the broker has ended a connection that was idle, or takes nothing any more."""
        if time.monotonic() - self._used_at <= FRESH_S:
            return True
        try:
            self._ask()
        except (AMQPError, OSError):
            return False
        return True

    def _open_channel(self) -> None:
        self._channel = self._connection.channel()
        self._published = 0
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(partial(self._settled, error=None))
        self._channel.events["basic_nack"].add(partial(self._settled, error=MessageNacked()))
        self._channel.events["basic_return"].add(self._returned)

    def _ask(self) -> None:
        """Have the broker take something that goes nowhere, and only then anything else.

        One that is short of memory keeps what it is sent for later, when it has been sent again already.
        """
        if not self._may_ask:
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=0.001)
            return
        ends = time.monotonic() + self._connect_s
        self._published += 1
        self._open, self._results = {self._published: 0}, [None]
        self._channel.basic_publish(EncodedMessage(b""), "", QUESTION)
        while self._open:
            self._connection.drain_events(timeout=max(ends - time.monotonic(), 0.001))
            if self._is_blocked:
                raise BlockedError
        self._used_at = time.monotonic()

    def _blocked(self, reason: str) -> None:
        self._is_blocked = True

    def publish(
        self, messages: Sequence[tuple[AmqpMessage, EncodedMessage]], timeout_s: float
    ) -> list[AMQPError | OSError | None]:
        """Publish messages and wait for the broker's word on each; returns what went wrong with each."""
        ends = time.monotonic() + timeout_s
        # All of them from the start: an error on the way leaves the later ones unpublished.
        self._open = {self._published + 1 + place: place for place in range(len(messages))}
        self._results = [None] * len(messages)
        self._places = {message.message_id: place for place, (message, _) in enumerate(messages)}
        try:
            for message, encoded in messages:
                self._published += 1
                self._channel.basic_publish(
                    encoded, message.exchange, message.routing_key, mandatory=True, timeout=timeout_s
                )
            while self._open:
                self._connection.drain_events(timeout=max(ends - time.monotonic(), 0.001))
        except (AMQPError, OSError) as error:
            self.is_broken = True
            for place in self._open.values():
                self._results[place] = self._results[place] or error
        self._used_at = time.monotonic()
        return self._results

    def end(self) -> None:
        """Close, after what the thread is at; nobody waits for that."""
        # One that is broken can't be closed in good order: nobody hears of it, and the broker sees that.
        self._thread.submit(self._connection.collect)
        self._thread.shutdown(wait=False)

    def _settled(self, tag: int, multiple: bool, *, error: AMQPError | None) -> None:
        for each in [known for known in self._open if known == tag or (multiple and known < tag)]:
            place = self._open.pop(each)
            self._results[place] = self._results[place] or error

    def _returned(self, error: AMQPError, exchange: str, routing_key: str, message: Any) -> None:
        """Note a message for which there is no queue; it is confirmed all the same, right after this."""
        self._results[self._places[message.properties["message_id"]]] = error


def _encoded(message: AmqpMessage) -> EncodedMessage:
    is_text = isinstance(message.body, str)
    return EncodedMessage(
        message.body.encode() if is_text else orjson.dumps(message.body),
        content_type="text/plain" if is_text else "application/json",
        content_encoding="utf-8",
        application_headers=dict(message.headers),
        delivery_mode=PERSISTENT,
        message_id=message.message_id,
    )


def _place_of(url: str) -> dict[str, Any]:
    """Return what py-amqp takes in place of a URL."""
    parts = parse_url(url)
    is_tls = parts["transport"] == "amqps"
    return {
        "host": f"{parts['hostname'] or 'localhost'}:{parts['port'] or (5671 if is_tls else 5672)}",
        "virtual_host": parts["virtual_host"] or "/",
        # Without a name it is the guest, as everywhere.
        "userid": parts["userid"] or "guest",
        "password": parts["password"] or "guest",
        "ssl": is_tls,
    }


def _failure(error: Exception) -> Rejected | Unavailable:
    """Return what an error means, in words that name neither the broker nor the person."""
    if isinstance(error, MessageNacked):
        return Unavailable("the broker does not take it", status_code=NACKED)
    if isinstance(error, TimeoutError):
        return Unavailable("timed out while the broker was asked")
    if isinstance(error, BlockedError):
        return Unavailable("the broker takes nothing, for want of memory or disk")
    code = getattr(error, "reply_code", None) or None
    if code in NOBODY_THERE:
        return Unavailable("the broker has no queue for it", status_code=code)
    if code in REFUSED:
        return Rejected(f"the broker refused it ({code})", status_code=code)
    if code:
        return Unavailable(f"the broker ended the connection ({code})", status_code=code)
    return Unavailable("no connection to the broker")
