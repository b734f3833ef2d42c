"""A RabbitMQ that is there and of no use: short of memory, when it keeps what it is sent, or frozen."""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pika
import pytest
from django.conf import LazySettings

from notifications import queue
from notifications.brokers import health, sources
from notifications.brokers.consumer import Consumer
from notifications.brokers.health import Beat
from notifications.brokers.publisher import PublisherLoop
from notifications.channels import bot, registry
from notifications.channels.message import Away
from notifications.channels.transport.session import Session
from notifications.events.outbox import event_publish
from notifications.models import OutgoingMessage
from tests import templates
from tests.flows.product import Product
from tests.notifications.brokers.conftest import at_work, eventually
from tests.notifications.channels.conftest import MessageBuilder, message
from tests.notifications.channels.destinations import BotDestination
from tests.servers.rabbitmq import RabbitMQ

__all__ = ["message"]
pytestmark = [pytest.mark.flow, pytest.mark.timeout(480)]

PATIENCE_S = 120
#: Docker kills after ten; on a busy machine ending Python itself takes its time.
STOPS_WITHIN_S = 30
WAITING = "SELECT count(*) FROM notifications_outgoingmessage"


@pytest.fixture(scope="module")
def broker(rabbitmq_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node of this module's own, since all who publish to it are stopped."""
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture
def product(broker: RabbitMQ, tmp_path: Path) -> Iterator[Product]:
    templates.furnish(tmp_path)
    env = {"RABBITMQ_URL": broker.url}
    with Product(tmp_path, migrate=False, env=env, workers=1, more={"publisher": ["publish"]}) as running:
        yield running


def register(product: Product) -> str:
    email = f"{uuid.uuid4()}@example.com"
    body = {"email": email, "password": uuid.uuid4().hex, "first_name": "Ana", "last_name": "Lima"}
    answer = product.call("POST", "/auth/api/v1/register", json={**body, "role": "student"})
    assert answer.status_code == 201, answer.text
    return email


def log_of(product: Product) -> str:
    return (product.stack.log_dir / "publisher.log").read_text()


def heard(channel: Any, queue: str) -> Iterator[dict[str, Any]]:
    """What has been published since the last time, until nothing more comes for a moment."""
    for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=5):
        if method is None:
            break
        yield orjson.loads(body)
    channel.cancel()


def test_the_publisher_says_so_and_ends_in_time_and_each_event_is_published_once(
    product: Product, broker: RabbitMQ
) -> None:
    emails = [register(product)]
    product.wait_for(lambda: product.sql(WAITING)[0][0] == 0, PATIENCE_S, "nothing is published")
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, "events.topic", "auth.user.created")
    with broker.alarmed():
        for _ in range(2):
            emails.append(register(product))
            product.wait_for(lambda: "want of memory" in log_of(product), PATIENCE_S, "it says nothing")
            found = product.call("GET", "/health/ready").json()["components"]["brokers"]
            assert not found["ok"], found
            process, began = product.stack.processes["publisher"], time.monotonic()
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
            assert time.monotonic() - began < STOPS_WITHIN_S
            os.truncate(product.stack.log_dir / "publisher.log", 0)
            product.stack.start("publisher")
        emails.append(register(product))
        product.wait_for(lambda: "want of memory" in log_of(product), PATIENCE_S, "it says nothing")
    product.wait_for(lambda: product.sql(WAITING)[0][0] == 0, PATIENCE_S, "it does not go on")
    told = [event["payload"]["email"] for event in heard(channel, queue)]
    assert told == emails[1:]
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("loop", ["consumer", "publisher"])
def test_who_is_told_to_stop_leaves_a_broker_that_is_frozen(
    broker: RabbitMQ, settings: LazySettings, loop: str
) -> None:
    events = {**settings.SOURCES["events"], "url": broker.url, "queue": f"frozen-{loop}"}
    settings.SOURCES = {"events": events}
    running = Consumer(sources.get("events")) if loop == "consumer" else PublisherLoop()
    event_publish(routing_key="test.frozen", payload={})
    with at_work(running):
        eventually(lambda: running.beat.state.connected, "it is not connected")
        if loop == "publisher":
            eventually(lambda: not OutgoingMessage.objects.exists(), "nothing is published")
        with broker.frozen():
            running.stop.set()
            began = time.monotonic()
            eventually(lambda: not is_heard_of(running.beat), "it does not leave")
            assert time.monotonic() - began < STOPS_WITHIN_S


def is_heard_of(beat: Beat) -> bool:
    return bool(queue.redis().hexists(health.KEY, beat.field))


async def test_what_the_bot_is_told_waits_and_arrives_once(
    broker: RabbitMQ, settings: LazySettings, message: MessageBuilder
) -> None:
    channel = registry.get("bot")
    with BotDestination(settings, broker.url) as destination:
        async with Session() as session:
            with broker.alarmed():
                sent = [message(address=destination.address) for _ in range(2)]
                for each in [*sent, *sent]:
                    with pytest.raises(Away, match="memory"):
                        await channel.send(each, session)
            for each in sent:
                await channel.send(each, session)
            assert session.broker(bot._url())
        ids = [destination.take().message_id for _ in range(destination.received())]
        assert ids == [str(each.delivery_id) for each in sent]
