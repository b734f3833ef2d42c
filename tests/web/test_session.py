"""Coming in and going out."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as product
from django.test import Client

from accounts.models import User

PASSWORD = "correct horse battery"


def log_in(client: Client, email: str, password: str = PASSWORD, **fields: str):
    return client.post("/login/", {"email": email, "password": password, **fields})


def test_somebody_logs_in_and_finds_their_inbox(browse: Callable[..., Client], owner: User) -> None:
    client = browse()
    response = log_in(client, "Owner@Example.com")
    assert (response.status_code, response["Location"]) == (302, "/inbox/")
    assert client.get("/inbox/").status_code == 200


def test_the_log_in_gives_a_session_of_its_own(browse: Callable[..., Client], owner: User) -> None:
    client = browse()
    client.get("/login/")
    log_in(client, owner.email)
    first = client.cookies[product.SESSION_COOKIE_NAME].value
    client.post("/logout/")
    log_in(client, owner.email)
    assert client.cookies[product.SESSION_COOKIE_NAME].value != first


def test_whoever_is_sent_to_the_log_in_comes_back(browse: Callable[..., Client], owner: User) -> None:
    client = browse()
    response = client.get("/preferences/?a=b")
    assert response["Location"] == "/login/?next=%2Fpreferences%2F%3Fa%3Db"
    assert 'name="next" value="/preferences/?a=b"' in client.get(response["Location"]).content.decode()
    assert log_in(client, owner.email, next="/preferences/?a=b")["Location"] == "/preferences/?a=b"


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        "///evil.example.com",
        "http:evil.example.com",
        "javascript:alert(1)",
        "inbox/",
        "/login/",
        "/login/?next=/login/",
        "\t//evil.example.com",
    ],
)
def test_nobody_is_sent_elsewhere(browse: Callable[..., Client], owner: User, wanted: str) -> None:
    client = browse()
    assert log_in(client, owner.email, next=wanted)["Location"] == "/inbox/"
    assert client.get("/login/", {"next": wanted})["Location"] == "/inbox/"


@pytest.mark.parametrize("email", ["nobody@example.com", "owner@example.com", "gone@example.com"])
def test_nothing_tells_which_addresses_have_an_account(
    browse: Callable[..., Client], owner: User, email: str
) -> None:
    User.objects.create_user("gone@example.com", PASSWORD, is_active=False)
    password = PASSWORD if email.startswith("gone") else "not that one"
    response = log_in(browse(), email, password)
    assert response.status_code == 422
    page = response.content.decode()
    assert "No account matches this email address and password." in page
    assert page.count(email) == 1  # in the field, as it was typed
    assert password not in page


def test_log_ins_are_limited_by_address(browse: Callable[..., Client], owner: User, settings: Any) -> None:
    settings.RATES = settings.RATES | {"login": "3/min"}
    client = browse()
    for _ in range(3):
        assert log_in(client, "nobody@example.com", "guess").status_code == 422
    response = log_in(client, owner.email)
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 60
    assert "Too many attempts" in response.content.decode()
    assert client.get("/inbox/").status_code == 302


def test_one_account_is_not_guessed_at_from_many_addresses(
    browse: Callable[..., Client], owner: User, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"login-account": "4/min"}
    known = browse(REMOTE_ADDR="10.1.0.1")
    assert log_in(known, owner.email).status_code == 302
    answers = [
        log_in(browse(REMOTE_ADDR=f"10.0.0.{number}"), owner.email, "guess").status_code
        for number in range(4)
    ]
    assert answers == [422, 422, 422, 429]
    # Their owner still gets in from where they were before.
    assert log_in(browse(REMOTE_ADDR="10.1.0.1"), owner.email).status_code == 302


def test_going_out_takes_a_button(browse: Callable[..., Client], owner: User) -> None:
    client = browse(owner)
    assert client.get("/logout/").status_code == 405
    assert client.get("/inbox/").status_code == 200
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/inbox/").status_code == 302


def test_the_start_leads_to_the_inbox_and_staff_to_the_admin(
    browse: Callable[..., Client], owner: User, operator: User
) -> None:
    nobody, person, staff = (browse(user).get("/").content.decode() for user in (None, owner, operator))
    assert 'href="/login/"' in nobody
    assert 'href="/register/"' in nobody
    assert "/inbox/" not in nobody
    assert 'href="/inbox/"' in person
    assert "/admin/" not in person
    assert 'href="/admin/"' in staff


@pytest.mark.parametrize(
    "cookie",
    [
        '"aaaaaaaaaaaa\\000bbbb"',
        "aaaaaaaaaaaa\0bbbb",
        "aaaaaaaaaaaa\u00ed\u00a0\u0080bbbb",
        "a" * 5000,
        "aaaaaaaa' OR 1=1",
        "\u00e4\u00f6\u00fc" * 5,
    ],
    ids=["quoted NUL", "NUL", "surrogate", "long", "SQL", "not ASCII"],
)
@pytest.mark.parametrize("path", ["/inbox/", "/login/", "/admin/login/"])
def test_a_cookie_that_is_no_sessions_key_is_no_session(db: None, path: str, cookie: str) -> None:
    client = Client(headers={"accept": "text/html"})
    client.cookies[product.SESSION_COOKIE_NAME] = ""
    response = client.get(path, HTTP_COOKIE=f"{product.SESSION_COOKIE_NAME}={cookie}")
    assert response.status_code in {200, 302}


@pytest.mark.parametrize("text", ["a%00b", "%ED%A0%80", "%FF"], ids=["NUL", "surrogate", "no UTF-8"])
@pytest.mark.parametrize(
    "path",
    [
        "/{}/",
        "/login/?next={}",
        "/verify-email/?token={}",
        "/reset-password/?token={}",
        "/dating/join/{}/",
        "/api/v1/{}/",
        "/admin/login/?next={}",
        "/static/{}",
    ],
)
def test_odd_text_in_an_anonymous_address_is_no_failure(
    browse: Callable[..., Client], db: None, path: str, text: str
) -> None:
    assert browse().get(path.format(text)).status_code < 500


@pytest.mark.parametrize("text", ["a\0b@example.com", "a\ud800b@example.com"], ids=["NUL", "surrogate"])
@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/api/v1/auth/login", "/register/"])
def test_odd_text_in_an_anonymous_field_is_no_failure(
    browse: Callable[..., Client], db: None, path: str, text: str
) -> None:
    fields = {"email": text, "username": text, "name": text, "password": text}
    body = json.dumps(fields)
    assert browse().post(path, body, content_type="application/json").status_code < 500
    form = urlencode(fields, errors="surrogatepass")
    assert browse().post(path, form, content_type="application/x-www-form-urlencoded").status_code < 500


@pytest.mark.parametrize(
    ("headers", "back"),
    [
        ({"referer": "http://testserver/preferences/?a=b"}, "/login/?next=%2Fpreferences%2F%3Fa%3Db"),
        ({"referer": "https://evil.example.com/preferences/"}, "/login/"),
        ({"referer": "http://[bad/"}, "/login/"),
        ({}, "/login/"),
    ],
)
def test_whoever_was_logged_out_meanwhile_comes_back_to_their_page(
    db: None, browse: Callable[..., Client], headers: dict[str, str], back: str
) -> None:
    client = browse()
    response = client.post("/settings/telling/", headers=headers)
    assert response["Location"] == back
    assert "nothing was changed" in client.get(back).content.decode()


def test_htmx_is_sent_to_the_log_in_and_from_there_to_its_page(
    db: None, browse: Callable[..., Client]
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/inbox/?cursor=x"}
    client = browse()
    for answer in (client.post("/inbox/read/", headers=headers), client.get("/inbox/", headers=headers)):
        assert answer["HX-Redirect"] == "/login/?next=%2Finbox%2F%3Fcursor%3Dx"


def test_a_form_without_its_cookies_offers_the_log_in(db: None, browse: Callable[..., Client]) -> None:
    client = browse(enforce_csrf_checks=True)
    headers = {"referer": "http://testserver/account/"}
    response = client.post("/account/details/", {"first_name": "Ana"}, headers=headers)
    assert response.status_code == 403
    assert 'href="/login/?next=%2Faccount%2F"' in response.content.decode()
