"""SPEC 11.3: whatever an endpoint is sent, it says no, and soon: every one there is, or will be."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from tests.config.test_access import ALL, API, SIGNED
from tests.openapi import SCHEMA

JSON = "application/json"
# On a busy machine; what is not bounded takes a minute or the memory.
SOON_S = 30.0
BODIES = {
    "a number of 5,000 digits": b'{"a":' + b"9" * 5_000 + b"}",
    "a number beyond all floats": b'{"a":1e999}',
    "depth": b"[" * 400_000,
    "objects within objects": b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
    "half a character": b'{"a":"\\ud800"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "no UTF-8": b'{"a":"\xff\xfe"}',
    "equal keys": b"{" + b'"a":1,' * 160_000 + b'"a":1}',
    "empty lists": b"[" + b"[]," * 333_000 + b"[]]",
    "empty objects": b"[" + b"{}," * 333_000 + b"{}]",
    "numbers": b"[" + b"1," * 490_000 + b"1]",
    "fields": json.dumps({f"f{number}": 1 for number in range(80_000)}).encode(),
    "a constant": b'{"a":NaN}',
}
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="%d"; filename="f"\r\n\r\nx\r\n'
FORMS = {
    "fields": (FORM, b"&".join(b"f%d=1" % number for number in range(100_000))),
    "equal fields": (FORM, b"a=1&" * 200_000),
    "no UTF-8": (FORM, b"a=%ff%fe&\xff=\xff"),
    "NUL": (FORM, b"a=%00&username=%00&password=%00&email=%00"),
    "parts": (PARTS, b"".join(PART % number for number in range(10_000)) + b"--b--\r\n"),
    "files": (PARTS, b"".join(FILE % number for number in range(10_000)) + b"--b--\r\n"),
    "no parts": (PARTS, b"x" * 900_000),
    "no boundary": ("multipart/form-data", b"--b\r\n" * 1_000),
}


def operations() -> Iterator[tuple[str, str]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                yield method, path.replace("{", "").replace("}", "")


OPERATIONS = sorted(operations())
# All that is not the API, whose parsers take no forms. Some pages of django-rq break at the name of a job or
# worker that is not there, whatever they are sent.
PAGES = [
    route
    for route in ALL
    if not route.startswith((*API, "/health", "/metrics"))
    and not re.search("(django-rq|django_rq).*/x/", route)
]
# They cost little: every page gets them.
SMALL_FORMS = ("NUL", "no UTF-8", "no boundary", "equal fields")


def example(path: str) -> str:
    """Return a path of the schema with something in the place of its parameters."""
    return "/".join(
        "00000000-0000-0000-0000-000000000001" if part.endswith(("uuid", "_id", "id")) else part
        for part in path.split("/")
    )


def refused(client: Client, method: str, path: str, body: bytes, media_type: str) -> int:
    began = time.monotonic()
    response = client.generic(method.upper(), path, body, content_type=media_type)
    assert time.monotonic() - began < SOON_S
    assert response.status_code < 500, response.content[:300]
    return response.status_code


def test_the_walk_finds_what_takes_a_body() -> None:
    assert {("post", "/api/v1/alerts/"), ("post", "/api/v1/alerts/batch/")} <= set(OPERATIONS)
    assert len(OPERATIONS) > 40
    assert "/admin/login/" in PAGES
    assert "/login/" in PAGES


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_json_is_too_odd_for_an_endpoint_of_the_api(operator: User, method: str, path: str) -> None:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(operator)
    for body in BODIES.values():
        assert refused(client, method, example(path), body, JSON) >= 400


@pytest.mark.slow
@pytest.mark.parametrize("route", PAGES)
def test_no_form_is_too_odd_for_a_page(operator: User, route: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    for media_type, body in (FORMS[name] for name in SMALL_FORMS):
        refused(client, "post", route, body, media_type)


@pytest.mark.parametrize("name", FORMS)
def test_providers_who_sign_are_held_to_the_same(db: None, settings: Any, name: str) -> None:
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC1", "a token"
    client = Client(raise_request_exception=False)
    routes = [route for route in ALL if route.startswith(SIGNED)]
    assert routes
    for route in routes:
        media_type, body = FORMS[name]
        signed = client.generic(
            "POST", route, body, content_type=media_type, headers={"X-Twilio-Signature": "none"}
        )
        assert 400 <= signed.status_code < 500


@pytest.mark.parametrize("name", ["fields", "equal fields", "parts", "files"])
@pytest.mark.parametrize("route", ["/login/", "/register/", "/admin/login/"])
def test_more_fields_than_a_form_has_are_refused(db: None, route: str, name: str) -> None:
    media_type, body = FORMS[name]
    assert refused(Client(raise_request_exception=False), "post", route, body, media_type) == 400
