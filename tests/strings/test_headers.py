"""Whatever stands in a header or a cookie, nothing breaks, and none of it comes back in a header."""

from itertools import chain
from typing import Any, Final

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from tests.furnished import Furnished
from tests.hostile import Supply
from tests.strings.asking import in_header, operations, path_of, quiet, routes, said

#: What Django, DRF, the pages, the streams and htmx read, and what proxies and browsers add.
HEADERS: Final = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Content-Encoding",
    "Content-Type",
    "Forwarded",
    "HX-Boosted",
    "HX-Current-URL",
    "HX-Request",
    "HX-Target",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "Last-Event-ID",
    "Origin",
    "Range",
    "Referer",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Purpose",
    "User-Agent",
    "X-CSRFToken",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-HTTP-Method-Override",
    "X-Request-ID",
    "X-Twilio-Signature",
)
COOKIES: Final = (settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME, "messages", "theme")
#: Longer ones the server refuses before the product sees them.
LONGEST: Final = 8_000


@pytest.fixture
def asked(furnished: Furnished) -> list[str]:
    """Whatever can be got, but for what goes on for ever, and what says that no worker is running."""
    pages = (route.filled(furnished) for route in routes() if not route.path.startswith("/api/v1/"))
    endpoints = (path_of(path, furnished) for path, _ in operations("get"))
    return [each for each in chain(pages, endpoints) if "/stream" not in each and "/health/ready" not in each]


def comes_back(response: HttpResponse, mark: str) -> list[str]:
    headers = [f"{name}: {value}" for name, value in response.items()]
    return [each for each in (*headers, response.cookies.output()) if mark in each]


@pytest.mark.parametrize("who", ["operator", "nobody"])
def test_headers_of_every_page_and_endpoint(who: str, operator: User, asked: list[str]) -> None:
    client, supply, wrong = quiet(Client()), Supply(), list[Any]()
    if who == "operator":
        client.force_login(operator)
    for turn, at in enumerate(asked):
        for name, given in zip(HEADERS[turn % 4 :: 4], supply.in_turn(), strict=False):
            response = client.get(at, headers={name: in_header(given.text)[:LONGEST]})
            wrong.append(said(response, f"{at} {name}", given))
            wrong += [(at, name, each) for each in comes_back(response, given.mark)]
    assert len(asked) > 150
    assert not list(filter(None, wrong))


def test_cookies_of_every_page(operator: User, asked: list[str]) -> None:
    client, supply, wrong = quiet(Client()), Supply(), list[Any]()
    for turn, at in enumerate(asked):
        client.force_login(operator)
        session = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        for name, given in zip(COOKIES[turn % 2 :: 2], supply.in_turn(), strict=False):
            cookies = f"{session}; {name}={in_header(given.text)[:LONGEST]}"
            client.cookies.clear()
            response = client.get(at, headers={"Cookie": cookies})
            wrong.append(said(response, f"{at} {name}", given))
            wrong += [(at, name, each) for each in comes_back(response, given.mark)]
        given = next(supply.in_turn())
        client.cookies.clear()
        response = client.get(at, headers={"Cookie": in_header(given.text)[:LONGEST]})
        wrong.append(said(response, f"{at} Cookie", given))
    assert not list(filter(None, wrong))


@pytest.mark.parametrize("name", [settings.SESSION_COOKIE_NAME, "__Host-anything"])
def test_a_made_up_session_logs_nobody_in(name: str, db: None) -> None:
    client, supply, wrong = quiet(Client()), Supply(), []
    for given in supply.some(300):
        client.cookies.clear()
        response = client.get("/inbox/", headers={"Cookie": f"{name}={in_header(given.text)[:LONGEST]}"})
        if response.status_code != 302 or "/login/" not in response["Location"]:
            wrong.append((given.id, response.status_code))
    assert not wrong
