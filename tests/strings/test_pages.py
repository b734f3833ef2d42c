"""What somebody has typed comes out of a page as text: no element, no attribute, no link that runs."""

from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Shop, User
from tests.factories import MembershipFactory, ShopFactory, UserFactory
from tests.furnished import Furnished, furnish
from tests.hostile import ALL, ELEMENT, MARKS
from tests.strings.asking import admins, quiet, routes

#: Those that PostgreSQL can hold; the others are refused at the door.
STORABLE = [each for each in ALL if each.kind != "surrogate" and "\0" not in each.text]
_LINKS = (
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "srcset",
    "xlink:href",
    "hx-get",
    "hx-post",
)
_RUN = ("on", "x-", "@", ":", "style", "srcdoc")
_SCHEMES = ("javascript:", "data:", "vbscript:")


class Read(HTMLParser):
    """What a browser would make of a page, and which of it no page of ours has."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._script = False
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        is_data = ("type", "application/json") in attributes
        self._script = tag in ("script", "style") and not is_data
        if tag == ELEMENT or _has_mark(tag) or tag in ("base", "object", "embed", "iframe"):
            self.wrong.append(self.get_starttag_text() or tag)
        for name, value in attributes:
            # What Alpine, which the admin loads, or the browser itself would run.
            if _has_mark(name) or (_has_mark(value or "") and name.startswith(_RUN)):
                self.wrong.append(f"{tag} {name}={value}")
            address = "".join(each for each in value or "" if each > " ").lower()
            if name in _LINKS and address.startswith(_SCHEMES):
                self.wrong.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and _has_mark(data):
            self.wrong.append(f"in a script: {data[:200]}")

    def handle_comment(self, data: str) -> None:
        if _has_mark(data):
            self.wrong.append(f"in a comment: {data[:200]}")


def _has_mark(text: str) -> bool:
    return MARKS.search(text) is not None


@pytest.mark.parametrize(
    "let_through",
    [
        "<script>alert('hx0001q')</script>",
        "<x-hostile title=hx0001q>",
        "<svg/onload=alert('hx0001q')>",
        '<a href="java\tscript:alert(1)">a</a>',
        "<p x-data=\"{a: 'hx0001q'}\">",
        "<p hx0001q=1>",
        "<style>hx0001q{}</style>",
        "<!-- hx0001q -->",
        "<base href=//a.example>",
    ],
)
def test_the_reader_sees_what_was_let_through(let_through: str) -> None:
    assert Read(HttpResponse(f"<main>{let_through}</main>")).wrong
    assert not Read(HttpResponse(f"<main>{escape(let_through)}</main>")).wrong


@pytest.fixture
def written(shop: Shop) -> tuple[User, Furnished]:
    """One of each thing, over and over, until every string stands somewhere; and somebody who sees theirs."""
    left = iter(STORABLE)
    marks: list[str] = []

    def text() -> str:
        given = next(left, None) or STORABLE[len(marks) % len(STORABLE)]
        marks.append(given.mark)
        return given.text[:2_000]

    user = UserFactory(first_name=text()[:150], last_name=text()[:150])
    MembershipFactory(user=user, shop=shop)
    furnished = furnish(user, shop, text=text)
    for _ in range(5):
        furnish(user, shop, text=text)
    while len(marks) < len(STORABLE):
        other = UserFactory(first_name=text()[:150], last_name=text()[:150])
        furnish(other, ShopFactory(name=text()[:200]), text=text)
    return user, furnished


def pages(client: Client, furnished: Furnished, *, of_admin: bool) -> Iterator[tuple[str, HttpResponse]]:
    for route in routes():
        if not route.path.startswith(("/api/", "/health", "/metrics", "/webhook")):
            at = route.filled(furnished)
            yield at, client.get(at, HTTP_ACCEPT="text/html")
    for at, model_admin in admins() if of_admin else ():
        yield at, client.get(at)
        for each in model_admin.model._default_manager.order_by("-pk")[:1]:
            page = f"{at}{each.pk}/change/"
            yield page, client.get(page)
            yield page, client.get(f"{at}{each.pk}/delete/")


def test_nothing_typed_becomes_part_of_a_page(written: tuple[User, Furnished], operator: User) -> None:
    user, furnished = written
    wrong: list[Any] = []
    for person in (user, operator):
        client, shown = quiet(Client()), 0
        client.force_login(person)
        for at, response in pages(client, furnished, of_admin=person == operator):
            if response.status_code >= 500:
                wrong.append((at, response.status_code, repr(response.exc_info[1])[:300]))
            elif response["Content-Type"].startswith("text/html") and not response.streaming:
                page = response.content.decode()
                wrong += [(at, each) for each in Read(response).wrong]
                wrong += [(at, each.id) for each in STORABLE if "<" in each.text and each.text in page]
                shown += 1
                assert response["X-Content-Type-Options"] == "nosniff"
                if at == "/admin/accounts/user/":  # what was typed is there, as text
                    assert sum(each.mark in page for each in STORABLE) > 10
        assert shown > 15
    assert not wrong
