"""A sender of the test's own, with a clock that moves when told."""

from collections import Counter
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
from tests.queued import split, stored
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
        history, queue = split(fields)
        deliveries = (
            Delivery(
                **{
                    "notification": told,
                    "user": point.user,
                    "contact_point": point,
                    "channel": channel,
                    "address": point.address,
                    "due_at": now,
                    "expires_at": now + timedelta(days=1),
                    **history,
                }
            )
            for point in points
        )
        return stored(deliveries, **queue)

    return build


def statuses() -> dict[str, int]:
    """How many deliveries there are by state."""
    return dict(Counter(each.state for each in Delivery.objects.select_related("outgoing")))
