"""PubNub: exactly the publish request of SPEC 2.8, and what its refusals mean."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected, TooFast
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import ALERT, MessageBuilder
from tests.servers.pubnub import PubNub

CHANNEL = registry.get("pubnub")


@pytest.fixture
def pubnub(settings: Settings) -> Iterator[PubNub]:
    with PubNub() as server:
        settings.PUBNUB_BASE_URL = server.origin
        settings.PUBNUB_PUBLISH_KEY, settings.PUBNUB_SUBSCRIBE_KEY = server.publish_key, server.subscribe_key
        settings.PUBNUB_UUID = "tocsin one"
        yield server


async def test_a_message_is_published_as_pubnub_documents_it(
    session: Session, pubnub: PubNub, message: MessageBuilder
) -> None:
    sent = message(address="ch13234")
    receipt = await CHANNEL.send(sent, session)
    (request,) = pubnub.requests
    keys = f"{pubnub.publish_key}/{pubnub.subscribe_key}"
    assert request.path == f"/publish/{keys}/0/ch13234/0?store=0&uuid=tocsin%20one"
    (published,) = pubnub.published
    assert receipt == Receipt(200, published.timetoken)
    assert (published.channel, published.uuid, published.store) == ("ch13234", "tocsin one", "0")
    assert published.content == {
        "id": str(sent.delivery_id),
        "type": "alert",
        "timestamp": "2026-03-20T10:31:00.083000Z",
        "title": "Theft at Auchan La Rochelle",
        "body": "Aisle 4, two persons.",
        "severity": "critical",
        "data": ALERT,
    }


@pytest.mark.parametrize("name", ["café", "a%2Fb", "a?b#c", "été:1.x"])
async def test_any_name_of_a_channel_arrives_as_it_is(
    session: Session, pubnub: PubNub, message: MessageBuilder, name: str
) -> None:
    await CHANNEL.send(message(address=CHANNEL.normalised_address(name)), session)
    assert pubnub.published[0].channel == name


@pytest.mark.parametrize("name", ["", "a,b", "a/b", "a\\b", "a*", "a b", "é" * 47])
def test_what_is_no_name_of_a_channel_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Enter a PubNub channel"):
        CHANNEL.normalised_address(name)


async def test_wrong_keys_are_final_and_too_many_requests_are_not(
    session: Session, pubnub: PubNub, message: MessageBuilder, settings: Settings
) -> None:
    pubnub.refuse(429, "Too Many Requests")
    with pytest.raises(TooFast, match="answered 429"):
        await CHANNEL.send(message(address="a"), session)
    settings.PUBNUB_PUBLISH_KEY = "wrong"
    with pytest.raises(Rejected, match="answered 400"):
        await CHANNEL.send(message(address="a"), session)
    settings.PUBNUB_PUBLISH_KEY = ""
    assert not registry.is_offered("pubnub")
    with pytest.raises(Rejected, match="not set up"):
        await CHANNEL.send(message(address="a"), session)
    assert not pubnub.published
