"""What holds for each page there is, or will be."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

import notifications
from accounts.models import User, Verification
from notifications.messages.placeholders import LINKS
from notifications.models import ContactPoint, Delivery, InboxItem, Preference, Subscription
from notifications.web.urls import urlpatterns
from tests.factories import ContactPointFactory, schedule_of

Browse = Callable[..., Client]
OPEN = ["/", "/login/", "/register/", "/forgotten-password/", "/reset-password/?token=x"]
OWN = [
    "/inbox/",
    "/inbox/?show=snoozed",
    "/preferences/",
    "/settings/what-if/",
    "/settings/what-if/?level=CRITICAL",
    "/account/",
    "/escalations/",
    "/groups/",
    "/shops/",
    "/verify-email/?token=x",
    "/verify-phone/?token=x",
]
TEMPLATES = sorted((Path(notifications.__file__).parent / "templates" / "web").glob("*.html"))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.forms_without_token: list[str] = []
        self._open_form: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "form" and given.get("method", "").lower() == "post":
            self._open_form = str(given.get("action"))
        if given.get("name") == "csrfmiddlewaretoken":
            self._open_form = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._open_form:
            self.forms_without_token.append(self._open_form)

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


@pytest.fixture(params=[*OPEN, *OWN])
def page(request: pytest.FixtureRequest, browse: Browse, owner: User, tell: Callable[..., InboxItem]) -> Page:
    tell(owner), tell(owner, read_at=timezone.now())
    ContactPointFactory(user=owner)
    response = browse(owner if request.param in OWN else None).get(request.param)
    assert response.status_code == 200
    return Page(response.content.decode())


@pytest.mark.slow
def test_no_form_is_without_its_token(page: Page) -> None:
    assert page.forms_without_token == []


@pytest.mark.slow
def test_nothing_in_a_page_is_a_script_or_style(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag != "style"
        assert tag != "script" or str(attributes.get("src")).startswith("/static/")
        assert not [name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))]


@pytest.mark.slow
def test_each_id_is_there_once(page: Page) -> None:
    assert sorted(set(page.ids)) == sorted(page.ids)


@pytest.mark.slow
def test_what_refers_to_an_id_finds_it(page: Page) -> None:
    for _, attributes in page.tags:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            assert set((attributes.get(name) or "").split()) <= set(page.ids), attributes


@pytest.mark.slow
def test_no_two_landmarks_have_one_name(page: Page) -> None:
    names = [str(each["aria-labelledby"]) for _, each in page.tags if each.get("aria-labelledby")]
    assert sorted(set(names)) == sorted(names)


def test_the_api_docs_say_in_what_language_they_are(browse: Browse, operator: User) -> None:
    assert '<html lang="en">' in browse(operator).get("/api/docs/").content.decode()


def test_columns_of_a_layer_have_names(browse: Browse, operator: User) -> None:
    layer = schedule_of(operator).layers.get()
    page = browse(operator).get(f"/admin/escalation/layer/{layer.pk}/change/").content.decode()
    (position,) = re.findall(r'<input[^>]*name="places-0-position"[^>]*>', page)
    assert 'aria-label="Position"' in position


@pytest.mark.slow
def test_every_field_has_a_label(page: Page) -> None:
    labelled = {each.get("for") for each in page.all("label")}
    for tag in ("input", "select"):
        for each in page.all(tag):
            if each.get("type") == "hidden" or each.get("aria-hidden") or each.get("name") == "on":
                continue  # the switches stand within their labels
            assert each.get("id") in labelled, each


@pytest.mark.slow
def test_a_page_says_what_it_is(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    (html,) = page.all("html")
    assert html["lang"] == "en"
    assert next(page.all("a"))["href"] == "#main"


@pytest.mark.slow
def test_icons_say_nothing_to_screen_readers(page: Page) -> None:
    assert all(each.get("aria-hidden") == "true" for each in page.all("svg"))


@pytest.mark.slow
@pytest.mark.parametrize("path", [*OPEN, *OWN, "/inbox/news/?after=0"])
def test_every_page_forbids_foreign_code_and_copies(browse: Browse, owner: User, path: str) -> None:
    response = browse(owner if path not in OPEN else None).get(path)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "no-store" in response["Cache-Control"]
    assert response["X-Frame-Options"] == "DENY"


def test_the_admin_and_the_api_docs_have_policies_of_their_own(browse: Browse, operator: User) -> None:
    for path in ("/admin/", "/api/docs/"):
        assert "Content-Security-Policy" not in browse(operator).get(path)


def _posts() -> list[str]:
    some = {"uuid": UUID(int=1), "int": 1, "slug": "nowhere"}
    found = []
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and hasattr(view, "post"):
            names = re.findall(r"<(\w+):(\w+)>", str(pattern.pattern))
            given = {name: some[kind] for kind, name in names}
            found.append(reverse(f"web:{pattern.name}", kwargs=given))
    return sorted(set(found))


def test_the_walk_finds_what_can_be_posted_to() -> None:
    assert {"/login/", "/inbox/read/", "/settings/telling/", "/account/password/"} <= set(_posts())


@pytest.mark.slow
@pytest.mark.parametrize("path", _posts())
def test_nothing_is_posted_without_a_token(browse: Browse, owner: User, path: str) -> None:
    response = browse(owner, enforce_csrf_checks=True).post(path)
    assert response.status_code == 403
    assert "This page was out of date" in response.content.decode()


def _rows() -> list[Any]:
    models = (User, Delivery, InboxItem, ContactPoint, Preference, Subscription, Verification, Session)
    return [list(model.objects.order_by("pk").values()) for model in models]


@pytest.mark.slow
@pytest.mark.parametrize("path", _posts())
def test_nothing_can_be_done_by_opening_a_link(browse: Browse, owner: User, path: str) -> None:
    client = browse(owner)
    before = _rows()
    assert client.get(path).status_code in (200, 302, 403, 404, 405)
    assert _rows() == before


@pytest.mark.parametrize("link", LINKS.values())
def test_links_of_messages_lead_to_pages(link: str) -> None:
    assert resolve(link.partition("?")[0]).app_name == "web"


def test_what_is_not_there_gets_a_page_too(db: None, browse: Browse, owner: User) -> None:
    for user in (None, owner):
        response = browse(user).get("/nowhere/")
        assert response.status_code == 404
        assert "Page not found" in response.content.decode()


@pytest.mark.parametrize("path", ["/inbox/", "/inbox/news/", "/login/", "/preferences/"])
def test_a_database_that_is_away_is_said_to_be(browse: Browse, owner: User, path: str) -> None:
    client = browse(owner)

    def away(*args: Any) -> None:
        raise OperationalError

    with connection.execute_wrapper(away):
        response = client.get(path)
    assert response.status_code == 503
    assert response["Retry-After"]
    assert "Back in a moment" in response.content.decode()


def test_a_redis_that_is_away_lets_nobody_try_uncounted(browse: Browse, owner: User, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    response = browse().post("/login/", {"email": owner.email, "password": "correct horse battery"})
    assert response.status_code == 503
    assert "sessionid" not in response.cookies
