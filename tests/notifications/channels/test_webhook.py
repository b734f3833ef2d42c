"""Signed webhooks: body, headers and which addresses are accepted."""

import base64
import dataclasses
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from notifications.channels import registry, webhook
from notifications.channels.message import Receipt, Rejected
from notifications.channels.transport import signing
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import ALERT, MessageBuilder
from tests.servers.third_party import ThirdParty

CHANNEL = registry.get("webhook")


async def test_the_body(session: Session, third_party: ThirdParty, message: MessageBuilder) -> None:
    created_at = datetime(2026, 3, 20, 12, 31, 0, 83_000, tzinfo=timezone(timedelta(hours=2)))
    sent = message(address=third_party.url, created_at=created_at)
    assert await CHANNEL.send(sent, session) == Receipt(200)
    (request,) = third_party.requests
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "type": "alert",
        "timestamp": "2026-03-20T10:31:00.083000Z",
        "data": {
            "user_id": str(sent.user_uuid),
            "title": "Theft at Auchan La Rochelle",
            "body": "Aisle 4, two persons.",
            "severity": "critical",
            **ALERT,
        },
    }


async def test_what_is_told_to_many_names_each_of_them(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    shared: dict[Any, Any] = {}
    told = [message(address=third_party.url, user_uuid=uuid.uuid4(), shared=shared) for _ in range(3)]
    told.append(message(address=third_party.url, user_uuid=None, title="Vol", shared=shared))
    for each in told:
        await CHANNEL.send(each, session)
    data = [request.json["data"] for request in third_party.requests]
    assert [each["user_id"] for each in data] == [*[str(each.user_uuid) for each in told[:3]], None]
    assert [each["title"] for each in data] == [*["Theft at Auchan La Rochelle"] * 3, "Vol"]
    assert [request.body for request in third_party.requests] == [
        webhook.body_of(dataclasses.replace(each, shared={})) for each in told
    ]


@pytest.mark.parametrize("data", [{}, {"user_id": "s-17", "note": 'a "quote" é'}, {"title": "its own"}])
def test_the_notifications_own_data_comes_before_all_else(message: MessageBuilder, data: Any) -> None:
    sent = message(data=data)
    plain = {
        "user_id": str(sent.user_uuid),
        "title": sent.title,
        "body": sent.body,
        "severity": sent.severity,
    }
    assert json.loads(webhook.body_of(sent))["data"] == {**plain, **data}


async def test_the_signature_is_made_as_the_specification_says(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    sent = message(address=third_party.url)
    await CHANNEL.send(sent, session)
    (request,) = third_party.requests
    headers = request.headers
    assert headers["webhook-id"] == str(sent.delivery_id)
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 5
    secret = signing.secret_for(sent.contact_point_id, 1)  # type: ignore[arg-type]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_while_a_rotation_is_under_way_both_secrets_verify(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    now = datetime.now(UTC)
    sent = message(address=third_party.url, secret_version=4, secret_rotated_at=now)
    await CHANNEL.send(sent, session)
    (request,) = third_party.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    verified = [
        version
        for version in range(1, 6)
        if signing.verify(
            [signing.secret_for(sent.contact_point_id, version)],  # type: ignore[arg-type]
            request.headers,
            request.body,
            now=now,
        )
    ]
    assert verified == [3, 4]


async def test_private_addresses_are_not_reached(
    session: Session, third_party: ThirdParty, message: MessageBuilder, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    with pytest.raises(Rejected, match="address not allowed"):
        await CHANNEL.send(message(address=third_party.url), session)
    assert third_party.connections == 0


async def test_what_goes_to_a_url_that_is_nobodys_is_not_signed(
    session: Session, third_party: ThirdParty, message: MessageBuilder
) -> None:
    sent = message(address=third_party.url, contact_point_id=None)
    assert (await CHANNEL.send(sent, session)).status_code == 200
    (request,) = third_party.requests
    assert request.delivery_id == str(sent.delivery_id)
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("https://example.com/hook", "https://example.com/hook"),
        ("HTTPS://Example.COM:443", "https://example.com/"),
        ("http://example.com:80/a?b=C&d=%2B%26", "http://example.com/a?b=C&d=%2B%26"),
        ("http://example.com:8080/A/b/", "http://example.com:8080/A/b/"),
        ("https://example.com./x", "https://example.com/x"),
        ("https://exämple.com/ü", "https://xn--exmple-cua.com/%C3%BC"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700:4700:0:0:0:0:1111]:8443/x", "https://[2606:4700:4700::1111]:8443/x"),
        ("http://my_service.internal/x", "http://my_service.internal/x"),
        ("https://example.com?a=1", "https://example.com/?a=1"),
        ("https://example.com/" + "a" * 2028, "https://example.com/" + "a" * 2028),
    ],
)
def test_addresses_in_normal_form(address: str, normal: str) -> None:
    assert CHANNEL.normalised_address(address) == normal
    assert CHANNEL.normalised_address(normal) == normal


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "valid URL|starts with"),
        ("nonsense", "starts with"),
        ("ftp://example.com/", "starts with"),
        ("ws://example.com/", "starts with"),
        ("javascript:alert(1)", "starts with"),
        ("//example.com/", "starts with"),
        ("http://", "host"),
        ("http:///path", "host"),
        ("https:example.com", "host"),
        ("https://ana:pw@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com/#", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "valid URL|port"),
        ("https://example.com:x/", "valid URL|port"),
        ("https://exa mple.com/", "spaces"),
        (" https://example.com/", "spaces"),
        ("https://example.com/\n", "control"),
        ("https://example.com/\r\nHost: x", "control"),
        ("https://example.com/\x00", "control"),
        ("https://example.com/\u202e", "control"),
        ("https://example.com\\@evil.example/", "backslash"),
        ("https://[::1", "valid URL"),
        ("https://-example.com/", "host name"),
        ("https://a..b/", "host name"),
        ("https://" + "a" * 64 + ".com/", "host name|valid URL"),
        ("https://" + "a." * 130 + "com/", "host name|valid URL"),
        ("https://a%2eb.com/", "host name|valid URL"),
        ("https://example.com/" + "a" * 2029, "2048"),
        ("https://example.com/" + "ü" * 1000, "2048"),
        ("http://127.1/", "usual form"),
        ("http://2130706433/", "usual form"),
        ("http://0x7f.0.0.1/", "usual form"),
        ("http://0x7f000001/", "usual form"),
        ("http://017700000001/", "usual form"),
        ("http://127.0.0.01/", "usual form"),
        ("http://10.0.0.1/", "public address"),
        ("http://１０.0.0.1/", "public address"),
        ("http://169.254.169.254/latest/meta-data/", "public address"),
        ("http://[::1]/", "public address"),
        ("http://[::ffff:10.0.0.1]/", "public address"),
        ("http://[fe80::1%25eth0]/", "zone|valid URL"),
    ],
)
def test_addresses_that_are_refused_and_why(address: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CHANNEL.normalised_address(address)


@pytest.mark.parametrize(
    ("address", "lane"),
    [
        ("https://example.com/a", "https://example.com:443"),
        ("http://example.com/b?c", "http://example.com:80"),
        ("http://EXAMPLE.com:8080/", "http://example.com:8080"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]:443"),
    ],
)
def test_the_lane_is_scheme_host_and_port(address: str, lane: str) -> None:
    assert CHANNEL.lane(address) == lane
