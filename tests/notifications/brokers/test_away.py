"""A broker that can't be reached: consumer and publisher try again, ever more patiently, and say so."""

import time

import pytest
from pytest_django import Settings
from redis import Redis
from structlog.testing import capture_logs

from notifications.brokers import health, sources
from notifications.brokers.consumer import Consumer
from notifications.brokers.publisher import PublisherLoop
from notifications.events.outbox import event_publish
from notifications.models import OutgoingMessage
from tests.notifications.brokers.conftest import at_work, eventually

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def away(redis: Redis, settings: Settings, closed_port: int) -> None:
    events = {**settings.SOURCES["events"], "url": f"amqp://127.0.0.1:{closed_port}"}
    settings.SOURCES = {**settings.SOURCES, "events": events}


def assert_patient(loop: Consumer | PublisherLoop, name: str, redis: Redis) -> None:
    with capture_logs() as logs:

        def waits() -> list[float]:
            return [each["retry_in_s"] for each in logs if each["event"] == "broker_away"]

        began = time.monotonic()
        with at_work(loop):
            eventually(lambda: len(waits()) == 3)
            tried_after_s = time.monotonic() - began
            finding = health.finding(redis)
        assert waits()[:3] == [0.5, 1.0, 2.0]
        assert tried_after_s >= 1.5
    assert not finding.ok
    assert f"{name}: away" in finding.detail
    assert f"{name}: away" not in health.finding(redis).detail, "it has left in good order"


def test_a_consumer_waits_longer_and_longer(redis: Redis) -> None:
    assert_patient(Consumer(sources.get("events")), "events", redis)


@pytest.mark.django_db(transaction=True)
def test_a_publisher_waits_longer_and_longer_and_keeps_what_it_has(redis: Redis) -> None:
    event_publish(routing_key="test.mine", payload={})
    assert_patient(PublisherLoop(), "publisher", redis)
    assert OutgoingMessage.objects.count() == 1
