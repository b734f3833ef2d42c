"""The same consumer at Redis, which kombu makes exchanges and queues of: no RabbitMQ is needed for these."""

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from kombu import Connection, Exchange, Producer
from pytest_django import Settings

from notifications.brokers import sources
from notifications.brokers.consumer import Consumer
from notifications.brokers.publisher import PublisherLoop
from notifications.events.outbox import event_publish
from notifications.models import DeadMessage, Event, OutgoingMessage
from tests.notifications.brokers.conftest import at_work, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker(settings: Settings) -> Iterator[Connection]:
    parts = urlsplit(settings.REDIS_URL)
    database = parts.query.removeprefix("db=")
    url = f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"  # with its password
    name = uuid.uuid4().hex[:12]
    source: dict[str, Any] = {"url": url, "exchange": f"x.{name}", "queue": f"q.{name}", "keys": ["test.#"]}
    settings.SOURCES = {**settings.SOURCES, "events": {**settings.SOURCES["events"], **source}}
    with Connection(url) as connection:
        yield connection


def publish(broker: Connection, key: str, body: bytes) -> None:
    exchange = Exchange(sources.get("events").exchange, type="topic")
    with broker.channel() as channel:
        producer = Producer(channel, exchange, routing_key=key)
        producer.publish(body, content_type="application/data", content_encoding="binary")


@pytest.mark.slow
def test_messages_take_effect_and_malformed_ones_are_dead_letters(broker: Connection) -> None:
    with at_work(Consumer(sources.get("events"))):
        eventually(lambda: broker.default_channel.client.exists(f"_kombu.binding.x.{_name()}"))
        for number in range(30):
            publish(broker, "test.numbered", b'{"n": "%d"}' % number)
        publish(broker, "test.numbered", b"{")
        eventually(lambda: Event.objects.count() == 30 and DeadMessage.objects.count() == 1)
    numbers = {event.payload["n"] for event in Event.objects.all()}
    assert numbers == {str(number) for number in range(30)}


@pytest.mark.slow
def test_what_is_published_reaches_who_listens(broker: Connection, settings: Settings) -> None:
    event_publish(routing_key="test.mine", payload={"n": 1})
    with at_work(Consumer(sources.get("events"))):
        eventually(lambda: broker.default_channel.client.exists(f"_kombu.binding.x.{_name()}"))
    with at_work(PublisherLoop()):
        eventually(lambda: not OutgoingMessage.objects.exists())
    assert broker.default_channel.client.llen(f"q.{_name()}") == 1


def _name() -> str:
    return sources.get("events").queue.removeprefix("q.")
