"""Publishing what is stored in the outbox: in order, and deleted only once the broker has confirmed it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import orjson
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection as database
from django.db import transaction
from kombu import Connection
from redis.exceptions import RedisError

from config import clock
from notifications import metrics, queue
from notifications.brokers import amqp, outbox, sources
from notifications.brokers.health import Beat
from notifications.brokers.intake import BrokerAway
from notifications.brokers.sources import Source
from notifications.brokers.stopping import Stop
from notifications.brokers.taking import is_away, wait_s
from notifications.models import OutgoingMessage

log = structlog.get_logger(__name__)

NAME: Final = "publisher"
APP_ID: Final = "tocsin"
BATCH: Final = 500
CONFIRM_S: Final = 10.0
LOOK_S: Final = 1.0
#: Of PostgreSQL's advisory locks: whoever has it publishes, so that two never mix up the order.
LOCK: Final = 0x746F6373  # "tocs"


class Outgoing(Protocol):
    """What is published: a row of the outbox, or anything that looks like one."""

    message_id: UUID
    exchange: str
    routing_key: str
    headers: Mapping[str, Any]
    body: Any


class Publisher:
    """A connection that publishes; not for several threads. Connects when it is first needed, and again."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._connection: Connection | None = None
        self._channel: Any = None
        self._unconfirmed: set[int] = set()
        self._published = 0
        self._refused = 0

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish messages in their order, persistently; returns once the broker has confirmed all of them.

        Raises:
            BrokerAway: it has not; some of them may have arrived all the same.
        """
        try:
            if self._connection is None:
                self._connect()
            assert self._connection is not None
            with amqp.away(self._connection):
                for message in messages:
                    self._send(message)
                self._wait_for_confirmation(self._connection)
        except BrokerAway:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except Exception as error:  # it is of no more use either way
                log.debug("broker_not_closed", error=type(error).__name__)

    def keep(self) -> None:
        """Answer the broker's question whether this end lives; called every few seconds."""
        connection = self._connection
        if connection is None or not connection.get_heartbeat_interval():
            return
        try:
            with amqp.away(connection):
                connection.heartbeat_check()
                try:
                    connection.drain_events(timeout=0.001)
                except TimeoutError:
                    return
        except BrokerAway:
            self.close()
            raise

    def _connect(self) -> None:
        self._connection = amqp.connect(self.source.url)
        amqp.declare(self._connection, self.source)
        with amqp.away(self._connection):
            self._channel = self._connection.channel()
            self._unconfirmed.clear()
            self._published = self._refused = 0
            if hasattr(self._channel, "confirm_select"):
                self._channel.confirm_select()
                self._channel.events["basic_ack"].add(self._confirmed)
                self._channel.events["basic_nack"].add(self._nacked)
                self._channel.events["basic_return"].add(self._returned)
        log.info("broker_connected", source=self.source.name, publishes=True)

    def _send(self, message: Outgoing) -> None:
        # The originals' bot takes some of its commands as bare text.
        is_text = isinstance(message.body, str)
        prepared = self._channel.prepare_message(
            message.body.encode() if is_text else orjson.dumps(message.body),
            content_type="text/plain" if is_text else "application/json",
            content_encoding="utf-8",
            headers=dict(message.headers),
            properties={
                "delivery_mode": 2,
                "message_id": str(message.message_id),
                "timestamp": int(clock.timestamp()),
                "app_id": APP_ID,
            },
        )
        if hasattr(self._channel, "confirm_select"):
            self._published += 1
            self._unconfirmed.add(self._published)
        # Events that nobody has asked for may vanish; an answer that reaches no queue is worth a line.
        self._channel.basic_publish(
            prepared,
            exchange=message.exchange,
            routing_key=message.routing_key,
            **({"mandatory": True} if self.source.exchange_type == "direct" else {}),
        )

    def _wait_for_confirmation(self, connection: Connection) -> None:
        end = time.monotonic() + CONFIRM_S
        while self._unconfirmed:
            left = end - time.monotonic()
            if left <= 0:
                raise BrokerAway(
                    f"It has not confirmed {len(self._unconfirmed)} messages within {CONFIRM_S:g} s."
                )
            connection.drain_events(timeout=left)
        if self._refused:
            raise BrokerAway(f"It has refused {self._refused} messages.")

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {each for each in self._unconfirmed if each > tag}
        else:
            self._unconfirmed.discard(tag)

    def _nacked(self, tag: int, multiple: bool) -> None:
        before = len(self._unconfirmed)
        self._confirmed(tag, multiple)
        self._refused += before - len(self._unconfirmed)

    def _returned(self, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        metrics.add("messages_published", self.source.name, "unroutable")
        log.warning("message_unroutable", source=self.source.name, exchange=exchange, routing_key=routing_key)


class PublisherLoop:
    """The loop of ``manage.py publish``."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.beat = Beat(NAME)
        self._publishers: dict[str, Publisher] = {}
        self._losses: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._away: dict[str, str] = {}
        self._subscription: Any = None

    def run(self) -> None:
        """Publish until ``stop`` is set."""
        try:
            while not self.stop.is_set():
                if not self._publish_what_waits():
                    self._keep()
                    self._wait_for_more()
                self.beat.say(connected=not self._away, detail="; ".join(self._away.values()))
        finally:
            for publisher in self._publishers.values():
                publisher.close()
            self._unsubscribe()
            self.beat.leave()

    def _publish_what_waits(self) -> bool:
        """Publish one batch for each broker; returns whether there may be more."""
        try:
            # Each its turn, whatever the one before had.
            more = [self._publish_batch(name) for name in self._waiting()]
            return any(more)
        except DatabaseError as error:
            if not is_away(error):
                raise
            database.close()
            log.warning("database_away", source=NAME, error=type(error).__name__)
            self.stop.wait(LOOK_S)
            return False

    def _waiting(self) -> list[str]:
        now = time.monotonic()
        known = sources.names()
        return [name for name in known if self._not_before.get(name, 0.0) <= now]

    def _publish_batch(self, name: str) -> bool:
        # One seek; a transaction and a lock only where there is something.
        if not OutgoingMessage.objects.filter(broker=name).exists():
            self._come_back(name)
            return False
        with transaction.atomic():
            if not _lock():
                return False  # another publisher is at it; this one stands by
            rows = list(OutgoingMessage.objects.filter(broker=name).order_by("id")[:BATCH])
            if not rows:
                return False
            try:
                self._publisher(name).publish(rows)
            except BrokerAway as error:
                self._note_away(name, str(error))
                return False
            OutgoingMessage.objects.filter(pk__in=[row.pk for row in rows]).delete()
        self._note_there(name)
        metrics.add("messages_published", name, "confirmed", amount=len(rows))
        return len(rows) == BATCH

    def _publisher(self, name: str) -> Publisher:
        if name not in self._publishers:
            try:
                self._publishers[name] = Publisher(sources.get(name))
            except ImproperlyConfigured as error:
                raise BrokerAway(str(error)) from error
        return self._publishers[name]

    def _come_back(self, name: str) -> None:
        """Look whether a broker that was away is there again, though there is nothing to publish."""
        if name not in self._away:
            return
        try:
            self._publisher(name).publish([])
        except BrokerAway as error:
            self._note_away(name, str(error))
        else:
            self._note_there(name)

    def _note_there(self, name: str) -> None:
        self._losses.pop(name, None)
        self._away.pop(name, None)

    def _note_away(self, name: str, reason: str) -> None:
        self._losses[name] = losses = self._losses.get(name, 0) + 1
        retry_in_s = wait_s(losses, first_s=0.5)
        self._not_before[name] = time.monotonic() + retry_in_s
        self._away[name] = f"{name}: {reason}"
        log.warning("broker_away", source=name, publishes=True, error=reason, retry_in_s=retry_in_s)

    def _keep(self) -> None:
        for name, publisher in self._publishers.items():
            try:
                publisher.keep()
            except BrokerAway as error:
                self._note_away(name, str(error))

    def _wait_for_more(self) -> None:
        """Wait until something was stored, or for a second: a message on the channel is only a hint."""
        try:
            if self._subscription is None:
                self._subscription = queue.redis().pubsub(ignore_subscribe_messages=True)
                self._subscription.subscribe(queue.channel(outbox.CHANNEL))
            self._subscription.get_message(timeout=LOOK_S)
        except (RedisError, OSError):
            self._unsubscribe()
            self.stop.wait(LOOK_S)

    def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            try:
                subscription.close()
            except (RedisError, OSError):
                log.debug("subscription_not_closed")


def _lock() -> bool:
    """Take the lock that one publisher has, until the end of the transaction under way."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])
