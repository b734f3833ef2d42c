"""Telegram: exactly the request that the Bot API documents, and what its refusals mean."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected, TooFast
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.telegram import Telegram

CHANNEL = registry.get("telegram")


@pytest.fixture
def telegram(settings: Settings) -> Iterator[Telegram]:
    with Telegram() as server:
        settings.TELEGRAM_BASE_URL, settings.TELEGRAM_BOT_TOKEN = server.origin, server.token
        yield server


@pytest.mark.parametrize(
    ("address", "chat_id"),
    [("123456789", 123456789), ("-1001234567890", -1001234567890), ("@shop_night", "@shop_night")],
)
async def test_a_message_is_sent_as_the_bot_api_documents_it(
    session: Session, telegram: Telegram, message: MessageBuilder, address: str, chat_id: int | str
) -> None:
    assert await CHANNEL.send(message(address=address), session) == Receipt(200, "1")
    (request,) = telegram.requests
    assert request.path == f"/bot{telegram.token}/sendMessage"
    assert request.json == {
        "chat_id": chat_id,
        "text": "Theft at Auchan La Rochelle\nAisle 4, two persons.\nhttps://media.example.com/clip.mp4",
    }


async def test_a_long_text_is_cut_to_what_telegram_takes(
    session: Session, telegram: Telegram, message: MessageBuilder
) -> None:
    await CHANNEL.send(message(address="5", body="🔔" * 3000, data={}), session)
    text = telegram.messages[0].text
    assert text.endswith("🔔…")
    assert 4090 < len(text.encode("utf-16-le")) // 2 <= 4096


async def test_too_many_requests_are_tried_again_when_telegram_says(
    session: Session, telegram: Telegram, message: MessageBuilder
) -> None:
    telegram.refuse(429, "Too Many Requests: retry after 17", retry_after=17)
    with pytest.raises(TooFast, match=r"^answered 429$") as failure:
        await CHANNEL.send(message(address="5"), session)
    assert failure.value.retry_after == 17


@pytest.mark.parametrize(
    ("status", "description", "error"),
    [
        (403, "Forbidden: bot was blocked by the user", "answered 403: the person has blocked the bot"),
        (400, "Bad Request: chat not found", "answered 400: there is no such chat, or the bot is not in it"),
        (400, "Bad Request: something about 77001234", "answered 400"),
    ],
)
async def test_a_refusal_is_final_and_says_why_in_our_words(
    session: Session,
    telegram: Telegram,
    message: MessageBuilder,
    status: int,
    description: str,
    error: str,
) -> None:
    telegram.refuse(status, description)
    with pytest.raises(Rejected) as failure:
        await CHANNEL.send(message(address="77001234"), session)
    assert str(failure.value) == error


async def test_a_wrong_token_is_final_and_says_what_to_check(
    session: Session, telegram: Telegram, message: MessageBuilder, settings: Settings
) -> None:
    settings.TELEGRAM_BOT_TOKEN = "123456789:wrong"
    with pytest.raises(Rejected, match="check TELEGRAM_BOT_TOKEN"):
        await CHANNEL.send(message(address="5"), session)
    settings.TELEGRAM_BOT_TOKEN = ""
    assert not registry.is_offered("telegram")
    with pytest.raises(Rejected, match="not set up"):
        await CHANNEL.send(message(address="5"), session)


@pytest.mark.parametrize("address", ["0", "-0", "1.5", "+5", "@ab", "@1abc", "shop", "@with space", "9" * 17])
def test_what_is_no_chat_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="chat's number"):
        CHANNEL.normalised_address(address)


def test_names_of_chats_are_kept_in_one_form_and_lanes_hold_no_secret(telegram: Telegram) -> None:
    assert CHANNEL.normalised_address("@Shop_Night") == "@shop_night"
    assert CHANNEL.lane("5") == f"{telegram.origin}/bot123456789"
