"""The short way of posting an alert answers as DRF's does, byte for byte."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiKey
from accounts.services import api_key_create
from config import clock
from notifications.api import plain
from notifications.models import Alert
from notifications.services import alerts as service
from tests.factories import ShopFactory
from tests.notifications.api.test_alerts import BAD, CANONICAL, LOOSE

ODD_VALUES: list[Any] = [
    *(
        7,
        -1,
        0,
        1e-6,
        1e-7,
        0.1,
        1.5,
        1e15,
        True,
        None,
        "",
        " ",
        "\u00a0",
        "\t",
        "a\x00",
        "\x7f",
        [],
        {},
        "é",
        "😀",
    ),
    *(
        "http://a",
        "HTTP://A/",
        "https://a:0/",
        "https://a:65536/",
        "https://[::1]/",
        "http://é/",
        "http:///a",
    ),
    *(
        "https://user:pass@a/",
        "https://a/\u2028",
        "https://a/%00",
        "//a/",
        "https://a\\b/",
        "https://a/" + "x" * 2038,
    ),
    *(
        "x" * 200,
        "x" * 201,
        "theft",
        " theft",
        "THEFT",
        "Auchan La Rochelle",
        " Auchan ",
        "a\u2028b",
        'a"b\\c</script>',
    ),
    *("33CBB18C-3E9D-4ACC-9667-2FBE7BF29137", "{33cbb18c-3e9d-4acc-9667-2fbe7bf29137", "3" * 36),
    *(1742470260, 1742470260.0, 1742470260.1234567, 4102444799.9999994, 4102444799.9999996, 10**400),
]
RAW = [
    b"", b" ", b"null", b"[]", b"{}", b"7", b'"a"', b"{", b"\xff", b"\xef\xbb\xbf{}", b'{"url": NaN}',
    b"[" * 30, b'{"a": 1e400}', b'{"a": "\\ud800"}',
]  # fmt: skip


@pytest.fixture
def off() -> Iterator[Callable[[bool], None]]:
    """Turn the short way off and on."""
    stock = plain.answer

    def turn(is_off: bool) -> None:
        plain.answer = (lambda *_, **__: None) if is_off else stock

    yield turn
    plain.answer = stock


def answers(client: APIClient, body: bytes, **headers: Any) -> tuple[int, dict[str, str], bytes]:
    response = client.post(CANONICAL, body, content_type="application/json", **headers)
    stored = list(Alert.objects.values_list("url", "location", "label", "time_spotted", "received_from"))
    Alert.objects.all().delete()
    assert stored or response.status_code != 201
    return response.status_code, dict(response.headers), response.content


def bodies(body: dict[str, Any]) -> list[bytes]:
    odd = [{**body, field: value} for field in body for value in ODD_VALUES]
    odd += [{**body, field: value} for field, value in [*BAD, *LOOSE]]
    odd += [{name: body[name] for name in body if name != field} for field in body]
    odd += [{**body, "camera": value} for value in ODD_VALUES]
    whole = json.dumps(body).encode()
    more = [whole[:-1] + b"," + raw[1:] for raw in RAW if raw[:2] == b'{"'] + [
        whole + b" ",
        whole[:-1],
        whole + b"x",
    ]
    return [*(json.dumps(each).encode() for each in odd), *RAW, *more]


@pytest.mark.slow
def test_it_answers_as_drf_does(
    as_machine: Callable[..., APIClient],
    alert_body: dict[str, Any],
    off: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    ShopFactory(name="a\u2028b", slug="odd")
    ShopFactory(name="Intermarch\u00e9", slug="itm")
    ShopFactory(name=" Auchan ", slug="blanks")
    camera = as_machine("alerts:write")
    codes = []
    for body in bodies({**alert_body, "location": "odd"}) + bodies(alert_body):
        off(True)
        expected = answers(camera, body)
        off(False)
        assert answers(camera, body) == expected, body
        codes.append(expected[0])
    assert codes.count(201) > 60
    assert codes.count(400) > 300


def test_keys_that_do_not_hold_are_refused_as_ever(
    db: None, alert_body: dict[str, Any], off: Callable[[bool], None]
) -> None:
    past = timezone.now() - timedelta(seconds=1)
    changes: list[dict[str, Any]] = [
        {},
        {"revoked_at": past},
        {"expires_at": past},
        {"scopes": ["alerts:read"]},
    ]
    seen: list[Any] = []
    for change in changes:
        record, key = api_key_create(name="a machine", scopes=["alerts:write"])
        ApiKey.objects.filter(pk=record.pk).update(**change)
        for is_off in (True, False):
            off(is_off)
            body = json.dumps({**alert_body, "alert_uuid": str(uuid.uuid4())}).encode()
            answer = answers(APIClient(), body, HTTP_AUTHORIZATION=f"Bearer {key}")
            seen.append(answer[0] if answer[0] == 201 else answer)
    assert seen[0::2] == seen[1::2]
    assert [each if each == 201 else each[0] for each in seen[0::2]] == [201, 401, 401, 403]


def test_its_use_is_noted(as_machine: Callable[..., APIClient], alert_body: dict[str, Any]) -> None:
    as_machine("alerts:write").post(CANONICAL, alert_body)
    assert ApiKey.objects.get().last_used_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_ended_is_replaced(
    as_machine: Callable[..., APIClient], alert_body: dict[str, Any]
) -> None:
    camera = as_machine("alerts:write")
    camera.post(CANONICAL, alert_body)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()
    assert camera.post(CANONICAL, {**alert_body, "alert_uuid": str(uuid.uuid4())}).status_code == 201


def test_the_short_way_is_taken(
    as_machine: Callable[..., APIClient], alert_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_BY_ANYONE", "SELECT 1/0")
    assert as_machine("alerts:write").post(CANONICAL, alert_body).status_code == 201
