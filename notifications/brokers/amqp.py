"""RabbitMQ, and whatever else kombu speaks with by exchanges and queues."""

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from kombu import Connection, Consumer, Exchange, Queue
from kombu.message import Message as KombuMessage

from config import clock
from notifications.brokers import compressed
from notifications.brokers.frames import WIRE, entries_of, lenient_frame_handler
from notifications.brokers.headers import Headers, clean, plain
from notifications.brokers.intake import BrokerAway, Delivered, away_on
from notifications.brokers.messages import Message
from notifications.brokers.sources import Source

log = structlog.get_logger(__name__)
compressed.bound()

#: What brokers add to a message's headers on its way, another each time.
ADDED: Final = (
    "x-acquired-count", "x-death", "x-delivery-count", "x-first-death-", "x-last-death-",
    "x-redelivered-count",
)  # fmt: skip
#: Seconds after which a silent connection is asked whether it lives; twice that ends it.
HEARTBEAT_S: Final = 20
CONNECT_TIMEOUT_S: Final = 5
#: Longest time, in seconds, for an answer, or to send something: a frozen broker would hold up who leaves.
SOCKET_S: Final = 5.0


def connect(url: str, **options: Any) -> Connection:
    """Return a connection to a broker, made with these options of py-amqp; raises BrokerAway."""
    connection = Connection(
        url,
        heartbeat=HEARTBEAT_S,
        connect_timeout=CONNECT_TIMEOUT_S,
        transport_options={
            "frame_handler": lenient_frame_handler,
            "read_timeout": SOCKET_S,
            "write_timeout": SOCKET_S,
            **options,
        },
    )
    with away(connection):
        connection.connect()
    return connection


def away(connection: Connection) -> contextlib.AbstractContextManager[None]:
    """Turn what kombu and its transport raise into BrokerAway."""
    return away_on(*connection.connection_errors, *connection.channel_errors, OSError)


def declare(connection: Connection, source: Source) -> None:
    """Make what is missing of exchange, queues and bindings, durably; what is there stays as it is."""
    queues = [Queue(name, durable=True) for name in (source.queue, *source.answers_to)]
    exchange = Exchange(source.exchange, type=source.exchange_type, durable=True)
    bindings = [(queues[0], key) for key in source.keys] + [(queue, queue.name) for queue in queues[1:]]
    with away(connection):
        for entity in (*queues, *([exchange] if source.exchange else [])):
            if not _is_there(connection, entity):
                with connection.channel() as channel:
                    _declare(entity(channel))
        for queue, key in bindings if source.exchange else ():
            channel = connection.channel()
            try:
                queue(channel).bind_to(exchange, routing_key=key)
            except connection.channel_errors as error:
                # Whoever owns the queue may have kept the right to bind it to themselves, and done so.
                about = {"queue": queue.name, "exchange": exchange.name, "key": key}
                log.warning("queue_not_bound", **about, error=str(error))
            else:
                channel.close()


def _is_there(connection: Connection, entity: Any) -> bool:
    # A broker ends the channel on which something was asked for that is not there.
    channel = connection.channel()
    try:
        _declare(entity(channel), passive=True)
    except connection.channel_errors:
        return False
    channel.close()
    return True


def _declare(entity: Any, **options: bool) -> None:
    if isinstance(entity, Queue):
        entity.queue_declare(**options)
    else:
        entity.declare(**options)


class AmqpIntake:
    """Messages of one queue, pushed by the broker, at most ``prefetch`` of them unacknowledged."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._arrived: deque[Delivered] = deque()
        # Of those that are neither acknowledged nor given back.
        self._open: set[Any] = set()
        self._connection: Connection | None = None
        self._channel: Any = None
        self._consumer: Consumer | None = None

    def connect(self) -> None:
        self._arrived.clear()
        self._open.clear()
        self._connection = connect(self.source.url)
        with away(self._connection):
            declare(self._connection, self.source)
            self._channel = self._connection.channel()
            # By whatever name of a codec a publisher gives, some of which take for ever.
            self._channel.auto_decode = False
            self._consumer = Consumer(
                self._channel,
                [Queue(self.source.queue, no_declare=True)],
                on_message=self._arrive,
                # What can't be decompressed is left as it came.
                on_decode_error=lambda message, _: self._arrive(message),
                prefetch_count=self.source.prefetch,
                auto_declare=False,
            )
            self._consumer.consume()

    def take(self, *, most: int, timeout_s: float) -> list[Delivered]:
        connection = self._connected()
        with away(connection):
            # Without a wait once there is something: what has arrived, arrived together.
            with contextlib.suppress(TimeoutError):
                while len(self._arrived) < most:
                    connection.drain_events(timeout=0.001 if self._arrived else timeout_s)
            return [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]

    def acknowledge(self, delivered: Sequence[Delivered]) -> None:
        tags = [each.tag for each in delivered]
        if not tags:
            return
        self._open.difference_update(tags)
        with away(self._connected()):
            # AMQP's tags are numbers that grow: all up to one of them can be acknowledged at once.
            if hasattr(self._channel, "confirm_select") and not any(tag < max(tags) for tag in self._open):
                self._channel.basic_ack(max(tags), multiple=True)
                return
            for tag in tags:
                self._channel.basic_ack(tag)

    def give_back(self, delivered: Sequence[Delivered]) -> None:
        with away(self._connected()):
            for message in reversed(delivered):
                self._open.discard(message.tag)
                self._channel.basic_reject(message.tag, requeue=True)

    def keep(self, delivered: Sequence[Delivered]) -> None:
        connection = self._connected()
        if connection.supports_heartbeats and connection.get_heartbeat_interval():
            with away(connection):
                connection.heartbeat_check()
                # What the broker says meanwhile is read, or it would seem to have fallen silent.
                with contextlib.suppress(TimeoutError):
                    connection.drain_events(timeout=0.001)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # A connection that is broken can't be closed in good order; the broker sees that it is gone.
            with contextlib.suppress(Exception):
                connection.release()

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BrokerAway("There is no connection.")
        return self._connection

    def _arrive(self, message: KombuMessage) -> None:
        info, properties = message.delivery_info, message.properties
        message_id = properties.get("message_id")
        body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        arrived = Message(
            source=self.source.name,
            body=compressed.opened(body, message.content_encoding),
            headers=_given(message.headers or {}, properties.get(WIRE, b"")),
            routing_key=clean(info.get("routing_key") or ""),
            message_id=clean(str(message_id)) if message_id not in (None, "") else None,
            sent_at=_time(properties.get("timestamp")),
            delivered_at=clock.now(),
            redelivered=bool(info.get("redelivered")),
        )
        self._open.add(message.delivery_tag)
        self._arrived.append(Delivered(arrived, message.delivery_tag))


def _given(headers: Mapping[str, Any], wire: bytes) -> Headers:
    """Return what the publisher gave, without what brokers have added."""
    mine = {name: value for name, value in headers.items() if not str(name).startswith(ADDED)}
    added = tuple(name.encode() for name in ADDED)
    kept = b"".join(entry for name, entry in entries_of(wire) if not name.startswith(added))
    return Headers.of(plain(mine), wire=kept)


def _time(value: Any) -> datetime | None:
    """AMQP's timestamp: Unix seconds by its standard, which some publishers fill with milliseconds."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and value > 0:
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    return None
