"""Items of the inbox as the fan-out makes them, and a real server with clients that listen."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from config.handler import Handler
from config.lifespan import Lifespan
from notifications.inbox import hubs, live
from notifications.models import InboxItem
from tests.factories import InboxItemFactory, NotificationFactory
from tests.notifications.inbox.listening import Listening
from tests.servers.web import served

NEXT_NUMBER = """
INSERT INTO notifications_inbox (user_id, last_number) VALUES (%s, 1)
    ON CONFLICT (user_id) DO UPDATE SET last_number = notifications_inbox.last_number + 1
RETURNING last_number
"""
MakeItem = Callable[..., InboxItem]

# As config.asgi has it, but for the connections that its threads would keep to this test's database.
application = Lifespan(Handler(), on_starting=lambda: None, on_stopping=hubs.end_all, on_stopped=hubs.stop)


def item_make(user: User, *, announced: bool = True, **fields: Any) -> InboxItem:
    """Put an item into someone's inbox; ``told`` are fields of its notification."""
    told = fields.pop("told", {})
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(NEXT_NUMBER, [user.pk])
            number = cursor.fetchone()[0]
        item = InboxItemFactory(notification=NotificationFactory(**told), user=user, number=number, **fields)
    if announced:
        live.announce([user.pk])
    return item


@pytest.fixture
def make_item(db: None) -> MakeItem:
    return item_make


@pytest.fixture
def quick(settings: Any) -> None:
    """Heartbeats, and the checks that go with them, several times a second."""
    settings.STREAM_HEARTBEAT_S = 0.3


@pytest.fixture
def port(request: pytest.FixtureRequest, transactional_db: None, settings: Any) -> Iterator[int]:
    """The real application on the real server, in a thread.

    Unless a test asks for ``quick`` there are no checks, which would make good what announcements fail to do.
    """
    if "quick" not in request.fixturenames:
        settings.STREAM_HEARTBEAT_S = 3600
    with served(application, before_end=hubs.end_all) as port:
        yield port


def bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {AccessToken.for_user(user)}"}


def cookie(client: APIClient) -> dict[str, str]:
    """The session of a client, for requests that it does not make itself."""
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


@pytest.fixture
def listen(port: int) -> Iterator[Callable[..., Listening]]:
    """Open a stream, as a person with a token unless ``headers`` say otherwise; all end with the test."""
    with ExitStack() as opened:

        def begin(user: User | None = None, *, query: str = "", **headers: str) -> Listening:
            sent = {**(bearer(user) if user else {}), **{k.replace("_", "-"): v for k, v in headers.items()}}
            return opened.enter_context(Listening(port, sent, query=query))

        yield begin
