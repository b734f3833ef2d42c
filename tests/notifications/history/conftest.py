"""Rows of a certain time, as the fan-out makes them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from notifications.ids import delivery_id, notification_id
from notifications.models import AttemptRow, Delivery, InboxItem, Notification
from tests.factories import AlertFactory, MembershipFactory, NotificationFactory, ShopFactory, UserFactory
from tests.queued import split, stored

Tell = Callable[..., Delivery]


@pytest.fixture
def tell() -> Tell:
    """Make an alert of a moment to one person, with its delivery, which is sent unless told otherwise."""

    def build(moment: datetime, channel: str = "webhook", **fields: Any) -> Delivery:
        shop, user = ShopFactory(), UserFactory(password="!")
        MembershipFactory(shop=shop, user=user, joined_at=moment)
        alert = AlertFactory(shop=shop, time_spotted=moment, received_at=moment, fanned_out_at=moment)
        told: Notification = NotificationFactory(
            id=notification_id(moment), source_id=str(alert.pk), shop=shop, created_at=moment
        )
        history, queue = split({"status": "sent", **fields})
        (delivery,) = stored(
            [
                Delivery(
                    id=delivery_id(
                        notification=told.pk, dedup_key=told.dedup_key, user=user.pk, contact_point=None
                    ),
                    notification=told,
                    user=user,
                    channel=channel,
                    shop=shop,
                    due_at=moment,
                    expires_at=moment,
                    created_at=moment,
                    attempts=0 if history["status"] == "pending" or channel == "inbox" else 1,
                    **history,
                )
            ],
            **queue,
        )
        if channel == "inbox":
            InboxItem.objects.create(
                delivery=delivery, user=user, notification=told, number=1, created_at=moment
            )
        elif delivery.attempts:
            outcome = "sent" if delivery.status == "sent" else "unavailable"
            AttemptRow.objects.create(
                delivery=delivery, number=1, started_at=moment, duration_ms=1.0, outcome=outcome
            )
        return delivery

    return build
