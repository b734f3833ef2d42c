"""The default channel: the exact body that the original system's third party knows."""

import json

import pytest
from pytest_django.fixtures import Settings

from notifications.channels import registry
from notifications.channels.message import Receipt, Unavailable
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.servers.third_party import ThirdParty

CHANNEL = registry.get("third_party")


async def test_an_alert_is_told_in_exactly_these_fields(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    sent = message(channel="third_party", address=third_party.url, contact_point_id=None)
    assert await CHANNEL.send(sent, session) == Receipt(200)
    (request,) = third_party.requests
    assert request.path == "/webhook/notifications/"
    assert request.headers["content-type"] == "application/json"
    assert list(request.json.items()) == [
        ("target_user_uuid", str(sent.user_uuid)),
        ("url", "https://media.example.com/clip.mp4"),
        ("alert_uuid", "0197a6d0-0000-7000-8000-000000000001"),
        ("location", "fr-auchan-larochelle"),
        ("label", "theft"),
    ]


async def test_other_kinds_are_told_with_all_their_data(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    sent = message(address=third_party.url, kind="exposure", data={"degree": 1, "days": [1, 2], "é": None})
    await CHANNEL.send(sent, session)
    assert third_party.requests[0].json == {
        "target_user_uuid": str(sent.user_uuid),
        "degree": 1,
        "days": [1, 2],
        "é": None,
    }


async def test_every_attempt_has_the_same_idempotency_key(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    third_party.behave("fail:1")
    sent = message(address=third_party.url)
    with pytest.raises(Unavailable):
        await CHANNEL.send(sent, session)
    await CHANNEL.send(sent, session)
    assert third_party.counts() == {str(sent.delivery_id): 2}
    assert third_party.requests[0].body == third_party.requests[1].body


async def test_it_is_reached_though_no_private_network_is_allowed(
    session: Session, third_party: ThirdParty, message: MessageBuilder, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    await CHANNEL.send(message(address=third_party.url), session)
    assert len(third_party.requests) == 1


def test_people_have_no_contact_points_on_it() -> None:
    assert not CHANNEL.for_contacts


def test_it_can_be_read_by_any_json_parser(message: MessageBuilder) -> None:
    # Nothing that JSON doesn't know, such as NaN, comes from the alert's own fields.
    json.loads(json.dumps(message().data["alert_uuid"]), parse_constant=pytest.fail)
