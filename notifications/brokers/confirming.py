"""Publishing to one broker: in order, persistently, and known to be there only once it has confirmed that."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from struct import error as StructError
from typing import Any, Final
from uuid import UUID

import orjson
import structlog
from amqp import FrameSyntaxError, Message
from amqp.exceptions import AccessRefused
from kombu import Connection

from config import clock
from notifications import metrics
from notifications.brokers import amqp
from notifications.brokers.frames import WireMessage
from notifications.brokers.intake import BrokerAway
from notifications.brokers.sources import Source
from notifications.brokers.stopping import Stop
from notifications.models import OutgoingMessage

log = structlog.get_logger(__name__)

APP_ID: Final = "tocsin"
CONFIRM_S: Final = 10.0
#: Of that, so much once this process has been told to stop.
STOP_WITHIN_S: Final = 3.0
STEP_S: Final = 0.5
#: The queue that is asked for by a question whether the broker takes anything; there is none of this name.
QUESTION: Final = "tocsin.is-anybody-there"
#: What goes along with a message's properties in one frame: the frame's own, class, weight and size.
_FRAME_BYTES: Final = 8 + 12
_NO_ROOM: Final = "It accepts nothing, for want of memory or disk (connection.blocked)."


class BrokerBlocked(BrokerAway):
    """The broker is there and takes nothing. What was sent waits at it; the connection is kept."""


class Publisher:
    """A connection that publishes; not for several threads. Connects when it is first needed, and again.

    What is sent to a RabbitMQ that is short of memory waits there, and is taken when the shortage ends, also
    from a connection that has ended. So each batch begins with a question (docs/adr/0044).
    """

    def __init__(self, source: Source, stop: Stop | None = None) -> None:
        self.source = source
        self.is_blocked = False
        self._stop = stop or Stop()
        self._connection: Connection | None = None
        self._channel: Any = None
        self._unconfirmed: set[int] = set()
        #: What was sent over this connection of what the caller does not know to be confirmed.
        self._sent: set[UUID] = set()
        self._published = 0
        self._refused = 0
        self._may_ask = True

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish messages in their order, persistently; returns once the broker has confirmed all of them.

        Raises:
            BrokerBlocked: it takes nothing now; call again with the same messages, and more behind them.
            BrokerAway: it has not confirmed all; some of them may have arrived all the same.
        """
        with self._closed_unless_blocked():
            if self._connection is None:
                self._connect()
            assert self._connection is not None
            with amqp.away(self._connection):
                # The broker has to take something that goes nowhere before anything else.
                if self._confirms and self._may_ask:
                    if not self._unconfirmed:
                        self._note_sent()
                        self._channel.basic_publish(Message(b""), exchange="", routing_key=QUESTION)
                    try:
                        self._wait_for_confirmation(self._connection)
                    except AccessRefused:
                        # Whoever may write to some exchanges only goes without.
                        self._may_ask = False
                        raise
                for message in messages:
                    if message.message_id not in self._sent:
                        self._send(message)
                self._wait_for_confirmation(self._connection)
        self._sent.clear()

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self.is_blocked = False
        if connection is not None:
            try:
                # In good order, unless the broker would not answer, or not before all that it has to take.
                (connection.collect if self._unconfirmed else connection.release)()
            except Exception as error:  # it is of no more use either way
                log.debug("broker_not_closed", error=type(error).__name__)

    def keep(self) -> None:
        """Answer the broker's question whether this end lives; called every few seconds."""
        connection = self._connection
        if connection is None or not connection.get_heartbeat_interval():
            return
        with self._closed_unless_blocked(), amqp.away(connection):
            connection.heartbeat_check()
            with suppress(TimeoutError):
                while True:
                    connection.drain_events(timeout=0.001)

    @contextmanager
    def _closed_unless_blocked(self) -> Iterator[None]:
        try:
            yield
        except BrokerBlocked:
            raise
        except BrokerAway:
            self.close()
            raise

    def _connect(self) -> None:
        hears = {"on_blocked": self._block, "on_unblocked": partial(self._block, is_blocked=False)}
        self._connection = amqp.connect(self.source.url, **hears)
        amqp.declare(self._connection, self.source)
        with amqp.away(self._connection):
            self._channel = self._connection.channel()
            self._unconfirmed.clear()
            self._sent.clear()
            self._published = self._refused = 0
            self.is_blocked = False
            if self._confirms:
                self._channel.confirm_select()
                self._channel.events["basic_ack"].add(self._confirmed)
                self._channel.events["basic_nack"].add(partial(self._confirmed, refused=True))
                self._channel.events["basic_return"].add(self._returned)
        log.info("broker_connected", source=self.source.name, publishes=True)

    @property
    def _confirms(self) -> bool:
        return hasattr(self._channel, "confirm_select")

    def _send(self, message: OutgoingMessage) -> None:
        prepared = self._prepared(message)
        if self._confirms:
            self._note_sent()
            self._sent.add(message.message_id)
        # Events that nobody has asked for may vanish; an answer that reaches no queue is worth a line.
        self._channel.basic_publish(
            prepared,
            exchange=message.exchange,
            routing_key=message.routing_key,
            **({"mandatory": True} if self.source.exchange_type == "direct" else {}),
        )

    def _prepared(self, message: OutgoingMessage) -> Any:
        """Return a message as it is sent; without its headers where these are more than a frame holds."""
        wire = bytes(message.wire_headers or b"")
        if not self._confirms:
            return self._built(message, message.headers)
        room = self._channel.connection.frame_max - _FRAME_BYTES
        for kind in ({"_Message": partial(WireMessage, wire=wire)} if wire else {}, {}):
            with suppress(FrameSyntaxError, StructError):
                prepared = self._built(message, message.headers, **kind)
                if len(prepared._serialize_properties()) <= room:
                    return prepared
        log.warning("message_headers_left_out", source=self.source.name, message_id=str(message.message_id))
        return self._built(message, {})

    def _built(self, message: OutgoingMessage, headers: Mapping[str, Any], **kind: Any) -> Any:
        # The originals' bot takes some of its commands as bare text.
        is_text = isinstance(message.body, str)
        return self._channel.prepare_message(
            message.body.encode() if is_text else orjson.dumps(message.body),
            content_type="text/plain" if is_text else "application/json",
            content_encoding="utf-8",
            headers=dict(headers),
            properties={
                "delivery_mode": 2,
                "message_id": str(message.message_id),
                "timestamp": int(clock.timestamp()),
                "app_id": APP_ID,
            },
            **kind,
        )

    def _note_sent(self) -> None:
        self._published += 1
        self._unconfirmed.add(self._published)

    def _wait_for_confirmation(self, connection: Connection) -> None:
        end = time.monotonic() + CONFIRM_S
        while self._unconfirmed:
            left = min(end, self._stop.since + STOP_WITHIN_S) - time.monotonic()
            if left <= 0:
                count = len(self._unconfirmed)
                raise BrokerAway(f"It has not confirmed {count} messages within {CONFIRM_S:g} s.")
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.001 if self.is_blocked else min(left, STEP_S))
            if self.is_blocked:
                raise BrokerBlocked(_NO_ROOM)
        if self._refused:
            raise BrokerAway(f"It has refused {self._refused} messages.")

    def _block(self, reason: str = "", *, is_blocked: bool = True) -> None:
        self.is_blocked = is_blocked

    def _confirmed(self, tag: int, multiple: bool, *, refused: bool = False) -> None:
        known = {each for each in self._unconfirmed if each <= tag} if multiple else self._unconfirmed & {tag}
        self._unconfirmed -= known
        self._refused += refused * len(known)

    def _returned(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        metrics.add("messages_published", self.source.name, "unroutable")
        log.warning("message_unroutable", source=self.source.name, exchange=exchange, routing_key=routing_key)
