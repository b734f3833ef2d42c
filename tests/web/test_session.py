"""Coming in and going out."""

from collections.abc import Callable
from typing import Any

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
    assert "There is no account with this email address and password." in page
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
