"""Signatures by Standard Webhooks, checked against the specification's own computation."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from notifications.channels.transport import signing

POINT = UUID("0197a6d0-0000-7000-8000-00000000000a")
NOW = datetime(2026, 3, 20, 12, 0, 0, 900_000, tzinfo=UTC)
BODY = b'{"type":"alert"}'


@pytest.fixture(autouse=True)
def _key(settings: Settings) -> None:
    settings.WEBHOOK_SIGNING_KEY = "a signing key of the operator"
    settings.WEBHOOK_ROTATION_H = 24.0


def sign(*, version: int = 1, rotated_at: datetime | None = None, now: datetime = NOW) -> str:
    return signing.signatures(
        POINT, version=version, rotated_at=rotated_at, message_id="msg_1", body=BODY, now=now
    )


def headers(signature: str, *, now: datetime = NOW) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def test_the_secret_is_derived_from_key_contact_point_and_version() -> None:
    derived = hmac.new(b"a signing key of the operator", f"{POINT}:3".encode(), hashlib.sha256).digest()
    secret = signing.secret_for(POINT, 3)
    assert secret.startswith("whsec_")
    assert base64.b64decode(secret.removeprefix("whsec_")) == derived
    assert len(derived) == 32


def test_another_key_point_or_version_has_another_secret(settings: Settings) -> None:
    secrets = {signing.secret_for(POINT, 1), signing.secret_for(POINT, 2)}
    secrets.add(signing.secret_for(UUID(int=POINT.int + 1), 1))
    settings.WEBHOOK_SIGNING_KEY = "another"
    secrets.add(signing.secret_for(POINT, 1))
    assert len(secrets) == 4


def test_the_signature_is_that_of_the_specification() -> None:
    key = base64.b64decode(signing.secret_for(POINT, 1).removeprefix("whsec_"))
    content = b"msg_1." + str(int(NOW.timestamp())).encode() + b"." + BODY
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert sign() == f"v1,{expected}"


@pytest.mark.parametrize(
    ("version", "rotated", "count"),
    [
        (1, None, 1),
        (2, timedelta(hours=0), 2),
        (2, timedelta(hours=23, minutes=59), 2),
        (2, timedelta(hours=24), 1),
        (2, timedelta(days=30), 1),
        (1, timedelta(hours=1), 1),
    ],
)
def test_it_is_signed_twice_while_a_rotation_is_under_way(
    version: int, rotated: timedelta | None, count: int
) -> None:
    signature = sign(version=version, rotated_at=NOW - rotated if rotated is not None else None)
    assert len(signature.split(" ")) == count
    accepted = [
        each
        for each in (1, 2)
        if signing.verify([signing.secret_for(POINT, each)], headers(signature), BODY, now=NOW)
    ]
    assert accepted == ([1, 2] if count == 2 else [version])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("webhook-id", "msg_2"),
        ("webhook-timestamp", "1774008001"),
        ("webhook-timestamp", "x"),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v2,AAAA é"),
        ("webhook-signature", ""),
    ],
)
def test_whatever_was_changed_does_not_verify(field: str, value: str) -> None:
    secrets = [signing.secret_for(POINT, 1)]
    assert signing.verify(secrets, headers(sign()), BODY, now=NOW)
    assert not signing.verify(secrets, {**headers(sign()), field: value}, BODY, now=NOW)
    assert not signing.verify(secrets, headers(sign()), BODY + b" ", now=NOW)
    assert not signing.verify([signing.secret_for(POINT, 9)], headers(sign()), BODY, now=NOW)


@pytest.mark.parametrize(("seconds", "accepted"), [(299, True), (-299, True), (302, False), (-302, False)])
def test_an_old_message_does_not_verify(seconds: int, accepted: bool) -> None:
    later = NOW + timedelta(seconds=seconds)
    secrets = [signing.secret_for(POINT, 1)]
    assert signing.verify(secrets, headers(sign()), BODY, now=later) is accepted
