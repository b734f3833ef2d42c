"""What tests of the admin start from."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notifications.models import AttemptRow, Delivery
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import split, stored


@pytest.fixture
def desk(operator: User) -> Client:
    """An operator's browser."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def make_delivery(db: None) -> Callable[..., Delivery]:
    def build(user: User, **fields: Any) -> Delivery:
        contact_point = fields.pop("contact_point", None) or ContactPointFactory(user=user)
        notification = fields.pop("notification", None) or NotificationFactory()
        now = timezone.now()
        history, queue = split(fields)
        delivery = Delivery(
            notification=notification,
            user=user,
            contact_point=contact_point,
            **{"channel": "webhook", "due_at": now, "expires_at": now, **history},
        )
        return stored([delivery], **queue)[0]

    return build


@pytest.fixture
def make_attempt() -> Callable[..., AttemptRow]:
    def build(delivery: Delivery, number: int, **fields: Any) -> AttemptRow:
        values = {"started_at": timezone.now(), "duration_ms": 12.5, "outcome": "unavailable", **fields}
        return AttemptRow.objects.create(delivery=delivery, number=number, **values)

    return build
