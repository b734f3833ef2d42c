"""The dating bot's channel: commands with headers, confirmed by RabbitMQ, over a connection that is kept."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from notifications.channels import bot, registry
from notifications.channels.message import Rejected, Unavailable
from notifications.channels.transport import amqp_publisher
from notifications.channels.transport.amqp_message import AmqpMessage
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.notifications.channels.destinations import BotDestination

CHANNEL = registry.get("bot")
CHAT = 77001234
PARTNER = "0198c7f2-6c00-7f1d-9a51-0f4f0c1f2a33"


@pytest.fixture
def destination(settings: Settings, rabbitmq: str) -> Iterator[BotDestination]:
    with BotDestination(settings, rabbitmq) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "data", "commands"),
    [
        ("dating.confirm", {}, ["confirm_registration"]),
        ("dating.rules", {}, ["send_rules", {"send_ready_for_event_request": None}]),
        (
            "dating.link",
            {"url": "https://t/j", "partner": "Ben", "round": 1, "round_ends_at": "2030-01-01T20:05:00Z"},
            [
                {
                    "invite_to_meeting": {
                        "url": "https://t/j",
                        "partner": "Ben",
                        "round": 1,
                        "round_ends_at": "2030-01-01T20:05:00Z",
                    }
                }
            ],
        ),
        (
            "dating.rate",
            {"partner": "Ben", "partner_id": PARTNER},
            [
                {"send_break_message": None},
                {"send_partner_rating_request": {"partner_id": 0x110F4F0C1F2A33, "partner": "Ben"}},
            ],
        ),
        ("dating.finished", {"matches": []}, [{"send_final_dating_message": None}]),
        (
            "dating.finished",
            {"matches": [{"registration_id": PARTNER, "name": "Ben"}]},
            [{"send_final_dating_message": None}, {"send_match_message": {"matches": ["Ben"]}}],
        ),
        (
            "dating.waiting",
            {},
            [{"send_message": {"text": "Theft at Auchan La Rochelle\nAisle 4, two persons."}}],
        ),
    ],
)
def test_each_kind_is_the_originals_commands_or_a_text(
    message: MessageBuilder, kind: str, data: dict[str, Any], commands: list[Any]
) -> None:
    assert bot.commands_of(message(kind=kind, data=data)) == commands


@pytest.mark.slow
async def test_commands_come_in_order_with_headers_and_ids_that_stay(
    session: Session, destination: BotDestination, message: MessageBuilder
) -> None:
    sent = message(address=destination.address, kind="dating.rules", data={"event_number": 3})
    for _ in range(2):
        await CHANNEL.send(sent, session)
    headers = {"user_id": CHAT, "chat_id": CHAT, "event_id": 3}
    for _ in range(2):
        (rules, ready) = destination.take(), destination.take()
        assert (rules.body, rules.content_type) == (b"send_rules", "text/plain")
        assert (json.loads(ready.body), ready.content_type) == (
            {"send_ready_for_event_request": None},
            "application/json",
        )
        assert [rules.headers, ready.headers] == [headers, headers]
        assert [rules.message_id, ready.message_id] == [f"{sent.delivery_id}", f"{sent.delivery_id}:1"]
        assert {rules.delivery_mode, ready.delivery_mode} == {2}


async def test_what_reaches_no_queue_is_tried_again_until_there_is_one(
    session: Session, destination: BotDestination, message: MessageBuilder
) -> None:
    sent = message(address=destination.address)
    await CHANNEL.send(sent, session)
    destination.fail_for_now()
    with pytest.raises(Unavailable, match="no queue"):
        await CHANNEL.send(sent, session)
    destination.listen()
    await CHANNEL.send(sent, session)
    assert destination.received() == 1


async def test_a_connection_that_the_broker_ended_is_made_anew(
    session: Session, destination: BotDestination, message: MessageBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.channels.transport.amqp_publisher.FRESH_S", -1)
    sent = message(address=destination.address)
    await CHANNEL.send(sent, session)
    line = session.broker(bot._url())
    connection = line._connection
    connection._connection.transport.sock.shutdown(2)
    await CHANNEL.send(sent, session)
    assert line._connection is not connection
    await CHANNEL.send(sent, session)
    assert destination.received() == 3


async def test_many_at_once_go_together_and_each_has_its_own_end(
    session: Session, destination: BotDestination, message: MessageBuilder
) -> None:
    class TooLateError(Exception):
        pass

    def too_late() -> None:
        raise TooLateError

    sends = [
        asyncio.create_task(CHANNEL.send(message(address=destination.address), session)) for _ in range(200)
    ]
    stopped = CHANNEL.send(message(address=destination.address, on_begin=too_late), session)
    given_up = asyncio.create_task(CHANNEL.send(message(address=destination.address), session))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(TooLateError):
        await stopped
    assert all(await asyncio.gather(*sends))
    assert given_up.cancelled()
    assert destination.received() == 200


async def test_one_that_the_broker_refuses_harms_nobody_beside_it(
    session: Session, destination: BotDestination, settings: Settings
) -> None:
    good, line = settings.DATING_EXCHANGE, session.broker(bot._url())
    destination.fail_for_good()
    messages = [
        AmqpMessage(
            message_id=str(place),
            exchange=settings.DATING_EXCHANGE if place == 3 else good,
            routing_key=settings.DATING_REPLY_QUEUE,
            headers={},
            body="send_rules",
        )
        for place in range(60)  # so many that the refusal comes before the last is published
    ]
    sends = [line.publish([letter], timeout_s=20.0) for letter in messages]
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(each) for each in results] == [type(None)] * 3 + [Rejected] + [type(None)] * 56
    arrived = {destination.take().message_id for _ in range(destination.received())}
    assert arrived == {letter.message_id for letter in messages} - {"3"}


async def test_where_no_broker_is_set_up_it_is_not_offered(
    session: Session, message: MessageBuilder, settings: Settings
) -> None:
    for url in ("", "redis://localhost"):
        settings.SOURCES = {**settings.SOURCES, "dating": {**settings.SOURCES["dating"], "url": url}}
        assert not registry.is_offered("bot")
        with pytest.raises(Rejected, match="RABBITMQ_URL"):
            await CHANNEL.send(message(address=str(CHAT)), session)


@pytest.mark.parametrize("address", ["0", "ana", "+5", "5.0", "12345678901234567", "-"])
def test_what_is_no_chat_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        CHANNEL.normalised_address(address)
    assert CHANNEL.normalised_address("-1001234567890") == "-1001234567890"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("amqp://", ("localhost:5672", "/", "guest", "guest", False)),
        (
            "amqp://ana:s%2Fe@rabbit.example.com:5673/chathub",
            ("rabbit.example.com:5673", "chathub", "ana", "s/e", False),
        ),
        ("amqp://ana:x@rabbit//", ("rabbit:5672", "/", "ana", "x", False)),
        ("amqps://ana:x@rabbit/v", ("rabbit:5671", "v", "ana", "x", True)),
    ],
)
def test_a_brokers_url_is_read_as_elsewhere(url: str, place: tuple[Any, ...]) -> None:
    found = amqp_publisher._place_of(url)
    assert tuple(found[key] for key in ("host", "virtual_host", "userid", "password", "ssl")) == place
