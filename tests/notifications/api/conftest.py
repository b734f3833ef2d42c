"""Requests that tests of the API make over and over."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Shop, User
from notifications.models import AttemptRow, ContactPoint, Delivery, Notification
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import split, stored


@pytest.fixture
def alert_body(shop: Shop) -> dict[str, Any]:
    """An alert as the original's README has it, with an id of its own."""
    return {
        "url": "https://media.veesion.io/b36006d7-adfa-4f3c-a56c-addcb4e4f95d.mp4",
        "location": shop.slug,
        "alert_uuid": str(uuid.uuid4()),
        "label": "theft",
        "time_spotted": 1742470260.083,
    }


@pytest.fixture
def make_delivery(db: None) -> Callable[..., Delivery]:
    """Build a delivery to someone's own webhook, in any state."""

    def build(user: User, **fields: Any) -> Delivery:
        contact_point: ContactPoint = fields.pop("contact_point", None) or ContactPointFactory(user=user)
        notification: Notification = fields.pop("notification", None) or NotificationFactory()
        now = timezone.now()
        if fields.get("status") == "sending":
            fields.setdefault("lease_until", now)
        history, queue = split(fields)
        delivery = Delivery(
            notification=notification,
            user=user,
            contact_point=contact_point,
            **{
                "channel": contact_point.channel,
                "address": contact_point.address,
                "due_at": now,
                "expires_at": now,
                **history,
            },
        )
        return stored([delivery], **queue)[0]

    return build


@pytest.fixture
def make_attempt() -> Callable[..., AttemptRow]:
    def build(delivery: Delivery, number: int = 1, **fields: Any) -> AttemptRow:
        values = {"started_at": timezone.now(), "duration_ms": 12.5, "outcome": "unavailable", **fields}
        return AttemptRow.objects.create(delivery=delivery, number=number, **values)

    return build
