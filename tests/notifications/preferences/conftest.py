"""People with preferences, and telling them something at a time of the test's choice."""

from collections.abc import Callable
from datetime import datetime, time
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import User
from notifications.engine.fanout import people
from notifications.engine.fanout.chunk import Chunk, fan_out_chunk
from notifications.models import Delivery, Notification
from tests.factories import ContactPointFactory, NotificationFactory, PreferenceFactory

Tell = Callable[..., list[Delivery]]


def told_of(kind: str = "stage.accepted", **fields: Any) -> Notification:
    """A notification that is not stored yet."""
    return NotificationFactory.build(
        **{
            "kind": kind,
            "title": f"About {kind}",
            "dedup_key": f"test:{uuid4()}",
            "data": {},
            "source_type": "event",
            **fields,
        }
    )


def fan_out(notification: Notification, *users: User, now: datetime, inbox: bool = False) -> Chunk:
    audience = people([user.pk for user in users], as_of=now)
    return fan_out_chunk(notification, audience, inbox=inbox, after=None, now=now)


@pytest.fixture
def tell(db: None) -> Tell:
    """Tell somebody something, at a time; returns their deliveries, the oldest contact point's first."""

    def build(
        user: User,
        kind: str = "stage.accepted",
        *,
        now: datetime | None = None,
        inbox: bool = False,
        **fields: Any,
    ) -> list[Delivery]:
        notification = told_of(kind, **fields)
        fan_out(notification, user, now=now or timezone.now(), inbox=inbox)
        made = Delivery.objects.filter(notification__dedup_key=notification.dedup_key)
        return list(made.select_related("notification").order_by("contact_point__created_at"))

    return build


@pytest.fixture
def by_email(owner: User) -> Any:
    """The owner's email contact point, there since long ago."""
    long_ago = timezone.now().replace(year=2020)
    return ContactPointFactory(user=owner, channel="email", address="owner@example.com", created_at=long_ago)


@pytest.fixture
def quiet_nights(owner: User) -> Any:
    """The owner's: from 22:00 until 07:00 in Paris."""
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Paris")
    owner.refresh_from_db()
    return PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
