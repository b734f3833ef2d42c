"""A source of a test's own at the shared RabbitMQ, and a client that talks to it as the originals do."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pika
import pytest
from django.db import connection
from pytest_django import Settings

from notifications.brokers import formats, sources
from notifications.brokers.consumer import Consumer
from notifications.brokers.publisher import PublisherLoop

PATIENCE_S = 60


def eventually(condition: Callable[[], Any], what: str = "it never came true") -> Any:
    """Wait until a condition holds, for as long as a busy machine may take; returns what it returned."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


@pytest.fixture(autouse=True)
def known_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is unknown after it."""
    monkeypatch.setattr(formats, "_formats", dict(formats._formats))


@dataclass
class Client:
    """A client by pika, with the exchange and the queue of one test."""

    url: str
    exchange: str
    queue: str
    connection: Any = field(init=False)
    channel: Any = field(init=False)

    def __post_init__(self) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self.connection.channel()

    def publish(
        self,
        body: object,
        *,
        key: str = "auth.user.created",
        headers: dict[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        self.channel.basic_publish(
            self.exchange,
            key,
            body if isinstance(body, bytes) else orjson.dumps(body),
            pika.BasicProperties(delivery_mode=2, headers=headers, **properties),
        )

    def waiting(self) -> int:
        """Messages of the queue that nobody holds."""
        return self.channel.queue_declare(self.queue, passive=True).method.message_count

    def listen(self, *keys: str) -> str:
        """Make a queue of one's own on the exchange; returns its name."""
        name = self.channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            self.channel.queue_bind(name, self.exchange, key)
        return name

    def get(self, queue: str) -> tuple[Any, Any, bytes] | None:
        method, properties, body = self.channel.basic_get(queue, auto_ack=True)
        return (method, properties, body) if method else None


class Raw(pika.BasicProperties):
    """Properties that are written as they are given: pika itself refuses the odd ones."""

    def __init__(self, encoded: bytes) -> None:
        super().__init__()
        self.encoded = encoded

    def encode(self) -> list[bytes]:
        return [self.encoded]


@pytest.fixture
def client(rabbitmq: str, settings: Settings) -> Iterator[Client]:
    """A client at the events' exchange, where the product reads and publishes; names of this test's own."""
    name = uuid.uuid4().hex[:12]
    settings.SOURCES = {
        **settings.SOURCES,
        "events": {
            **settings.SOURCES["events"],
            "url": rabbitmq,
            "exchange": f"events.topic.{name}",
            "queue": f"events.{name}",
            "keys": ["#"],
            "prefetch": 50,
        },
    }
    settings.MESSAGE_RETRY_WAIT_S = 0.05
    client = Client(rabbitmq, f"events.topic.{name}", f"events.{name}")
    client.channel.exchange_declare(client.exchange, "topic", durable=True)
    client.channel.queue_declare(client.queue, durable=True)
    client.channel.queue_bind(client.queue, client.exchange, "#")
    yield client
    with contextlib.suppress(Exception):
        client.channel.queue_delete(client.queue)
        client.channel.exchange_delete(client.exchange)
    client.connection.close()


@contextlib.contextmanager
def at_work(loop: Consumer | PublisherLoop) -> Iterator[None]:
    """Run a consumer or the publisher in a thread; what it raises is raised here."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.stop.set()
        thread.join()
    if errors:
        raise errors[0]


@pytest.fixture
def consuming() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Consume the events within ``with``."""
    return lambda: at_work(Consumer(sources.get("events")))


@pytest.fixture
def publishing() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Publish within ``with``."""
    return lambda: at_work(PublisherLoop())
