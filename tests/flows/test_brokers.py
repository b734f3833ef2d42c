"""The originals' clients at a real RabbitMQ, and what happens when it or the consumer goes away meanwhile."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pika
import pytest

from tests import templates
from tests.flows.product import Product
from tests.servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.flow

PATIENCE_S = 120
EXCHANGE, QUEUE = "events.topic", "tocsin.events"
MESSAGES = 10_000
KILLS = 3
PARTS = {"consumer": ["consume", "events"], "publisher": ["publish"]}
STORED = "SELECT count(*) FROM notifications_event WHERE routing_key = 'measure.taken'"
NUMBERS = "SELECT payload ->> 'number' FROM notifications_event WHERE routing_key = 'measure.taken'"
DEAD = "SELECT reason FROM notifications_deadmessage"
WELCOMES = """
SELECT count(*) FROM notifications_delivery AS delivery
  JOIN notifications_notification AS told ON told.id = delivery.notification_id
 WHERE delivery.user_id = %(user)s AND told.kind = 'student.created' AND delivery.channel = 'inbox'
"""


@pytest.fixture(scope="module")
def broker(rabbitmq_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node of this module's own, since it is stopped."""
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture(scope="module")
def fed(broker: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with a consumer of events and a publisher beside it."""
    env = {"RABBITMQ_URL": broker.url, "EVENTS_KEYS": "auth.user.*,measure.*"}
    home = tmp_path_factory.mktemp("fed")
    templates.furnish(home)
    with Product(home, migrate=False, env=env, workers=1, more=PARTS) as running:
        running.wait_for(lambda: is_bound(broker), PATIENCE_S, "the consumer has not bound its queue")
        yield running


class Pika:
    """A service of the originals: publishes to the topic exchange, and listens there."""

    def __init__(self, url: str) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()

    def __enter__(self) -> "Pika":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def publish(self, key: str, body: object) -> None:
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        self.channel.basic_publish(EXCHANGE, key, orjson.dumps(body), properties)

    def hear(self, *keys: str) -> str:
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        for key in keys:
            self.channel.queue_bind(queue, EXCHANGE, key)
        return queue

    def next(self, queue: str) -> dict[str, Any]:
        for _, _, body in self.channel.consume(queue, auto_ack=True, inactivity_timeout=PATIENCE_S):
            assert body is not None, f"nothing was published within {PATIENCE_S} s"
            self.channel.cancel()
            return orjson.loads(body)
        raise AssertionError("the queue is gone")


def is_bound(broker: RabbitMQ) -> bool:
    """Whether the product has made its exchange and queue."""
    with Pika(broker.url) as client:
        try:
            client.channel.queue_declare(QUEUE, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
    return True


def test_a_new_user_of_another_service_is_welcomed_and_their_profile_is_published(
    fed: Product, broker: RabbitMQ
) -> None:
    user = str(uuid.uuid4())
    payload = {
        "user_id": user,
        "email": f"{user}@example.com",
        "first_name": "John",
        "last_name": "Doe",
        "role": "student",
    }
    meta = {
        "timestamp": "2025-12-13T19:27:02.415000Z",
        "routing_key": "auth.user.created",
        "source": "auth-service",
    }
    with Pika(broker.url) as client:
        queue = client.hear("student.*")
        client.publish("auth.user.created", {"payload": payload, "_meta": meta})
        heard = client.next(queue)
    assert heard["payload"]["user_id"] == user
    assert heard["payload"]["first_name"] == "John"
    assert (heard["_meta"]["routing_key"], heard["_meta"]["source"]) == ("student.created", "tocsin")
    fed.wait_for(lambda: fed.sql(WELCOMES, user=user)[0][0] == 1, PATIENCE_S, "no welcome")


def test_every_message_takes_effect_once_whatever_goes_away_and_readiness_says_that_it_is_away(
    fed: Product, broker: RabbitMQ, chance: random.Random
) -> None:
    fed.stack.kill("consumer")
    with Pika(broker.url) as client:
        for number in range(MESSAGES):
            # Without ids of their own, as some clients publish, and with numbers as text.
            client.publish("measure.taken", {"event_type": "measure.taken", "number": str(number)})
    fed.wait_for(lambda: waiting(broker) == MESSAGES, PATIENCE_S, "not all messages have arrived")
    # The broker is stopped once, the consumer killed three times, each in the middle of what is left.
    falls = ["broker", *["consumer"] * KILLS]
    chance.shuffle(falls)
    marks = sorted(chance.sample(range(MESSAGES // 20, MESSAGES * 3 // 4), len(falls)))
    fed.stack.start("consumer")
    for mark, fall in zip(marks, falls, strict=True):
        fed.wait_for(
            lambda mark=mark: count(fed) >= mark, PATIENCE_S, f"{mark} messages have not taken effect"
        )
        if fall == "consumer":
            fed.stack.kill("consumer")
            fed.stack.start("consumer")
        else:
            broker.stop()
            assert count(fed) < MESSAGES
            fed.wait_for(lambda: is_ready(fed, at_broker=False), PATIENCE_S, "readiness has not noticed")
            broker.start()
    fed.wait_for(lambda: count(fed) >= MESSAGES, PATIENCE_S, "not all messages have taken effect")
    fed.wait_for(lambda: waiting(broker) == 0, PATIENCE_S, "messages are left in the queue")
    numbers = Counter(int(number) for (number,) in fed.sql(NUMBERS))
    assert numbers == Counter(range(MESSAGES))
    assert fed.sql(DEAD) == []
    fed.wait_for(lambda: is_ready(fed, at_broker=True), PATIENCE_S, "readiness has not noticed its return")


def count(fed: Product) -> int:
    return int(fed.sql(STORED)[0][0])


def is_ready(fed: Product, *, at_broker: bool) -> bool:
    """Whether readiness says of the brokers that they are there, or that they are away."""
    found = fed.call("GET", "/health/ready").json()["components"]["brokers"]
    return found["ok"] is at_broker and ("events: away" in found["detail"]) is not at_broker


def waiting(broker: RabbitMQ) -> int:
    """Return how many messages of the queue nobody holds."""
    with Pika(broker.url) as client:
        return int(client.channel.queue_declare(QUEUE, passive=True).method.message_count)


def test_told_to_stop_each_ends_in_good_order_and_is_not_missed(fed: Product) -> None:
    for name in PARTS:
        process = fed.stack.processes[name]
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    found = fed.call("GET", "/health/ready").json()["components"]["brokers"]
    said = "warning: dating: not heard from; events: not heard from; publisher: not heard from"
    assert found == {"ok": True, "detail": said}
    for name in PARTS:
        fed.stack.start(name)
