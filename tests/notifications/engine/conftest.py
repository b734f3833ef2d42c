"""A sender of the test's own, with a clock that moves when told."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from notifications.channels import registry
from notifications.engine.sender import Sender
from notifications.engine.worker import allow_many_connections
from notifications.models import ContactPoint, Delivery, Notification
from tests.clock import Clock
from tests.factories import ContactPointFactory, NotificationFactory, UserFactory
from tests.servers.third_party import ThirdParty


@pytest.fixture
def third_party() -> Iterator[ThirdParty]:
    with ThirdParty() as server:
        yield server


@pytest.fixture
def sender(transactional_db: None, clock: Clock) -> Iterator[Sender]:
    allow_many_connections()  # as the worker does, for tests with a thousand destinations
    running = Sender(clock=clock)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def make_deliveries(transactional_db: None) -> Callable[..., list[Delivery]]:
    """Pending deliveries of one notification, each to a person of its own, due now.

    What a running sender must not see otherwise is given as ``fields``, not changed afterwards.
    """

    def build(
        count: int,
        url: str,
        *,
        channel: str = "webhook",
        notification: Notification | None = None,
        **fields: Any,
    ) -> list[Delivery]:
        told = notification or NotificationFactory()
        users = User.objects.bulk_create(UserFactory.build_batch(count, password="!"))
        lane = registry.get(channel).lane(url)
        points = ContactPoint.objects.bulk_create(
            ContactPointFactory.build(user=user, channel=channel, address=url, lane=lane) for user in users
        )
        now = timezone.now()
        return Delivery.objects.bulk_create(
            Delivery(
                **{
                    "notification": told,
                    "user": point.user,
                    "contact_point": point,
                    "channel": channel,
                    "address": point.address,
                    "lane": point.lane,
                    "due_at": now,
                    "expires_at": now + timedelta(days=1),
                    **fields,
                }
            )
            for point in points
        )

    return build


def statuses() -> dict[str, int]:
    """How many deliveries there are by status."""
    found: dict[str, int] = {}
    for status in Delivery.objects.values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found
