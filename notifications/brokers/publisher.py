"""Publishing what is stored in the outbox: in order, and deleted only once the broker has confirmed it."""

import time
from typing import Any, Final

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connection as database
from django.db import transaction
from redis.exceptions import RedisError

from config import sql
from notifications import metrics, queue
from notifications.brokers import outbox, sources
from notifications.brokers.confirming import Publisher
from notifications.brokers.health import PUBLISHER, Beat
from notifications.brokers.intake import BrokerAway
from notifications.brokers.stopping import Stop
from notifications.brokers.taking import is_away, wait_s
from notifications.models import OutgoingMessage

log = structlog.get_logger(__name__)

NAME: Final = PUBLISHER
BATCH: Final = 500
LOOK_S: Final = 1.0
#: Of PostgreSQL's advisory locks: whoever has it publishes, so that two never mix up the order.
LOCK: Final = 0x746F6373  # "tocs"


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
            now = time.monotonic()
            names = [name for name in sources.names() if self._not_before.get(name, 0.0) <= now]
            more = [self._publish_batch(name) for name in names]
            return any(more)
        except DatabaseError as error:
            if not is_away(error):
                raise
            database.close()
            log.warning("database_away", source=NAME, error=type(error).__name__)
            self.stop.wait(LOOK_S)
            return False

    def _publish_batch(self, name: str) -> bool:
        # One seek; a transaction and a lock only where there is something.
        if not OutgoingMessage.objects.filter(broker=name).exists():
            if name in self._away:  # perhaps it is there again
                self._published(name, [])
            return False
        with transaction.atomic():
            if not sql.value("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]):
                return False  # another publisher is at it; this one stands by
            rows = list(OutgoingMessage.objects.filter(broker=name).order_by("id")[:BATCH])
            if not rows:
                return False
            if not self._published(name, rows):
                return False
            OutgoingMessage.objects.filter(pk__in=[row.pk for row in rows]).delete()
        metrics.add("messages_published", name, "confirmed", amount=len(rows))
        return len(rows) == BATCH

    def _published(self, name: str, rows: list[OutgoingMessage]) -> bool:
        """Publish these; False where their broker is away."""
        try:
            if name not in self._publishers:
                self._publishers[name] = Publisher(sources.get(name), self.stop)
            self._publishers[name].publish(rows)
        except (BrokerAway, ImproperlyConfigured) as error:
            self._note_away(name, str(error))
            return False
        self._losses.pop(name, None)
        self._away.pop(name, None)
        return True

    def _note_away(self, name: str, reason: str) -> None:
        self._losses[name] = losses = self._losses.get(name, 0) + 1
        retry_in_s = wait_s(losses, first_s=0.5)
        self._not_before[name] = time.monotonic() + retry_in_s
        self._away[name] = f"{name}: {reason}"
        log.warning("broker_away", source=name, publishes=True, error=reason, retry_in_s=retry_in_s)

    def _keep(self) -> None:
        for name, publisher in self._publishers.items():
            was_blocked = publisher.is_blocked
            try:
                publisher.keep()
            except BrokerAway as error:
                self._note_away(name, str(error))
            else:
                if was_blocked and not publisher.is_blocked:
                    self._not_before.pop(name, None)

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
