"""Browsers and inboxes for the tests of the pages."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from notifications.models import Inbox, InboxItem
from tests.factories import InboxItemFactory, NotificationFactory


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
def tell(db: None) -> Callable[..., InboxItem]:
    """Put an item into somebody's inbox."""

    def build(user: User, *, title: str = "A title", **fields: Any) -> InboxItem:
        inbox, _ = Inbox.objects.get_or_create(user=user)
        inbox.last_number += 1
        inbox.save()
        told = {key: fields.pop(key) for key in ("body", "texts", "severity") if key in fields}
        notification = NotificationFactory(title=title, dedup_key=str(uuid4()), **told)
        return InboxItemFactory(notification=notification, user=user, number=inbox.last_number, **fields)

    return build
