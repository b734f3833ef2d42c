"""Messages, a session and local servers; every test runs on asyncio's loop and on uvloop's."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop
from pytest_django.fixtures import Settings

from notifications.channels.message import Message, Receipt
from notifications.channels.phone import caller_ids
from notifications.channels.transport.session import Session
from tests.servers.smtp import MailServer
from tests.servers.third_party import ThirdParty

ALERT = {
    "url": "https://media.example.com/clip.mp4",
    "alert_uuid": "0197a6d0-0000-7000-8000-000000000001",
    "location": "fr-auchan-larochelle",
    "label": "theft",
    "time_spotted": 1742470260.083,
}

MessageBuilder = Callable[..., Message]


@pytest.fixture(autouse=True)
def _no_caller_ids() -> Iterator[None]:
    """Whatever sender was in this process before may have read some."""
    caller_ids.use([])
    yield
    caller_ids.use([])


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Workers run on uvloop, which reports errors in its own way; management commands on asyncio's loop."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def post(session: Session, url: str, **options: Any) -> Receipt:
    """Post something, by default to a trusted address."""
    defaults: dict[str, Any] = {
        "body": b'{"a":1}',
        "headers": {"Content-Type": "application/json", "webhook-id": "d1"},
        "timeout_s": 2.0,
        "trusted": True,
        "on_begin": None,
    }
    return await session.post(url, **{**defaults, **options})


@pytest.fixture
def message() -> MessageBuilder:
    """Builds a message about an alert; every field can be given."""

    def build(**fields: Any) -> Message:
        defaults: dict[str, Any] = {
            "delivery_id": uuid.uuid4(),
            "user_uuid": uuid.uuid4(),
            "contact_point_id": uuid.uuid4(),
            "channel": "webhook",
            "address": "",
            "kind": "alert",
            "title": "Theft at Auchan La Rochelle",
            "body": "Aisle 4, two persons.",
            "severity": "critical",
            "data": dict(ALERT),
            "created_at": datetime(2026, 3, 20, 10, 31, 0, 83_000, tzinfo=UTC),
            "attempt": 1,
        }
        return Message(**{**defaults, **fields})

    return build


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session() as opened:
        yield opened


@pytest.fixture
def third_party() -> Iterator[ThirdParty]:
    with ThirdParty() as server:
        yield server


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A mail server that the settings point to."""
    with MailServer() as server:
        settings.SMTP_HOST = server.host
        settings.SMTP_PORT = server.port
        settings.SMTP_SECURITY = "none"
        settings.SMTP_USERNAME = settings.SMTP_PASSWORD = ""
        settings.MAIL_FROM = "Tocsin <tocsin@example.com>"
        yield server
