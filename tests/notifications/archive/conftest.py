"""A database with some months of history, and an archive to write them to."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.ids import first_id
from notifications.models import Alert, AttemptRow, Delivery, DeliveryAction, Notification
from tests.factories import AlertFactory, NotificationFactory

AUGUST = datetime(2025, 8, 14, 10, 30, tzinfo=UTC)
SEPTEMBER = datetime(2025, 9, 3, 8, 0, 0, 123456, tzinfo=UTC)
NOVEMBER = datetime(2025, 11, 30, 23, 59, 59, 999000, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path: Path, settings: Settings) -> Path:
    """An empty archive in a directory."""
    folder = tmp_path / "archive"
    settings.ARCHIVE_URL = str(folder)
    return folder


def id_at(moment: datetime) -> uuid.UUID:
    return uuid.UUID(int=first_id(moment).int | 7 << 76 | uuid.uuid4().int & ((1 << 62) - 1) | 2 << 62)


Told = Callable[..., list[Delivery]]


@pytest.fixture
def told(shop: Shop) -> Told:
    """An alert that was told to these people: deliveries that were sent at the second attempt."""

    def build(at: datetime, *people: User, **fields: Any) -> list[Delivery]:
        alert = AlertFactory(shop=shop, received_at=at, time_spotted=at, fanned_out_at=at)
        notification = NotificationFactory(
            id=id_at(at), source_id=str(alert.pk), shop=shop, created_at=at, texts={"fr": {"": ["Vol", ""]}}
        )
        return [delivered(notification, person, at, **fields) for person in people]

    return build


def delivered(notification: Notification, person: User, at: datetime, **fields: Any) -> Delivery:
    delivery = Delivery.objects.create(
        **{
            "id": id_at(at),
            "notification": notification,
            "shop": notification.shop,
            "user": person,
            "channel": "third_party",
            "status": "sent",
            "due_at": at,
            "expires_at": at + timedelta(days=1),
            "attempts": 2,
            "created_at": at,
            "sent_at": at + timedelta(seconds=4),
            **fields,
        }
    )
    for number, outcome in enumerate(("unavailable", "sent")[: delivery.attempts], 1):
        AttemptRow.objects.create(
            delivery=delivery, number=number, started_at=at, duration_ms=12.25 * number, outcome=outcome
        )
    return delivery


@pytest.fixture
def history(told: Told, shop: Shop, owner: User, teammate: User) -> list[Delivery]:
    """Deliveries of August, September and November 2025; none of October."""
    deliveries = [
        *told(AUGUST, owner, teammate),
        *told(SEPTEMBER, owner),
        *told(SEPTEMBER + timedelta(hours=5), teammate, status="suppressed", reason="level", attempts=0),
        *told(NOVEMBER, owner, teammate),
    ]
    AlertFactory(shop=shop, received_at=SEPTEMBER, fanned_out_at=SEPTEMBER)  # to nobody
    what = {"action": "replay", "by": "op", "via": "api", "count": 1, "deliveries": [deliveries[0].pk]}
    DeliveryAction.objects.create(id=id_at(SEPTEMBER), at=SEPTEMBER, **what)
    return deliveries


def drop(before: datetime) -> None:
    """Delete what the retention of history does."""
    last = first_id(before)
    notifications = Notification.objects.filter(pk__lt=last)
    AttemptRow.objects.filter(delivery_id__lt=last).delete()
    Delivery.objects.filter(pk__lt=last).delete()
    sources = {uuid.UUID(each) for each in notifications.values_list("source_id", flat=True)}
    Alert.objects.filter(pk__in=sources).delete()
    Alert.objects.filter(received_at__lt=before).delete()
    notifications.delete()
