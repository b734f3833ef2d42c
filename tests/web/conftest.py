"""Browsers and inboxes for the tests of the pages."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from notifications.models import Delivery, Inbox
from tests.factories import NotificationFactory


@pytest.fixture
def browse() -> Callable[..., Client]:
    """A browser, logged in as someone or as nobody, that asks for pages."""

    def build(user: User | None = None, **options: Any) -> Client:
        client = Client(headers={"accept": "text/html,application/xhtml+xml"}, **options)
        if user is not None:
            client.force_login(user)
        return client

    return build


@pytest.fixture
def tell(db: None) -> Callable[..., Delivery]:
    """Put an item into somebody's inbox."""

    def build(user: User, *, title: str = "A title", **fields: Any) -> Delivery:
        inbox, _ = Inbox.objects.get_or_create(user=user)
        inbox.last_number += 1
        inbox.save()
        told = {key: fields.pop(key) for key in ("body", "texts", "severity") if key in fields}
        notification = NotificationFactory(title=title, dedup_key=str(uuid4()), **told)
        now = timezone.now()
        return Delivery.objects.create(
            notification=notification,
            user=user,
            channel="inbox",
            lane="inbox",
            status=Delivery.Status.SENT,
            number=inbox.last_number,
            due_at=now,
            expires_at=now,
            **{"sent_at": now, **fields},
        )

    return build
