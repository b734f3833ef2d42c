"""RFC 8058: a click in the mail program, or on the page, and never a mere look at it."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from django.core import signing
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from notifications.channels import unsubscribe_links
from notifications.channels.unsubscribe_links import Target
from notifications.models import Subscription
from tests.factories import ContactPointFactory, PreferenceFactory
from tests.notifications.preferences.conftest import Tell

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def anybody() -> Client:
    """A browser or mail program that nobody is logged in with; checks for forgery are on."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def target(owner: User) -> Target:
    return Target(owner.pk, "stage.accepted", "email")


@pytest.fixture
def path(target: Target) -> str:
    return f"/unsubscribe/{unsubscribe_links.token_of(target)}/"


def rules() -> list[tuple[str, str, str, bool]]:
    return list(Subscription.objects.values_list("user__email", "channel", "kind", "is_enabled"))


def test_one_click_switches_exactly_that_off(anybody: Client, owner: User, path: str, tell: Tell) -> None:
    ContactPointFactory(user=owner, channel="email", address="owner@example.com")
    for _ in range(2):
        answer = anybody.post(path, "List-Unsubscribe=One-Click", content_type=FORM)
        assert answer.status_code == 200
    assert rules() == [(owner.email, "email", "stage.accepted", False)]
    assert [each.reason for each in tell(owner, "stage.accepted")] == ["unsubscribed"]
    assert [each.reason for each in tell(owner, "stage.rejected")] == [""]


def test_a_mail_program_may_send_it_as_a_multipart_form(anybody: Client, owner: User, path: str) -> None:
    assert anybody.post(path, ONE_CLICK).status_code == 200
    assert rules() == [(owner.email, "email", "stage.accepted", False)]


def test_without_the_slash_it_is_the_same_and_no_redirect(anybody: Client, path: str) -> None:
    assert anybody.get(path.rstrip("/")).status_code == 200
    assert anybody.post(path.rstrip("/"), ONE_CLICK).status_code == 200
    assert len(rules()) == 1


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete", "trace"])
def test_nothing_but_a_post_changes_anything(anybody: Client, path: str, method: str) -> None:
    answer = getattr(anybody, method)(f"{path}?List-Unsubscribe=One-Click")
    assert answer.status_code == (200 if method in ("get", "head", "options") else 405)
    assert rules() == []


@pytest.mark.parametrize(
    "body", ["", "List-Unsubscribe=", "List-Unsubscribe=one-click", "One-Click", "x=%00", "List-Unsubscribe"]
)
def test_a_post_of_something_else_changes_nothing(anybody: Client, path: str, body: str) -> None:
    assert anybody.post(path, body, content_type=FORM).status_code == 400
    assert anybody.post(path, "{}", content_type="application/json").status_code == 400
    assert rules() == []


class Form(HTMLParser):
    """The fields of the page's one form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str | None]] = []
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form" and found.get("method") == "post":
            self.forms.append(found)
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""


def test_the_page_needs_no_javascript_and_leads_back(anybody: Client, owner: User, path: str) -> None:
    page = anybody.get(path)
    assert page.status_code == 200
    assert "stage.accepted" in page.content.decode()
    off = Form(page.content.decode())
    assert (off.forms, off.fields) == ([{"method": "post"}], ONE_CLICK)
    done = anybody.post(path, off.fields)
    assert "You are unsubscribed" in done.content.decode()
    undo = Form(done.content.decode())
    assert undo.fields != off.fields
    again = anybody.post(path, undo.fields)
    assert "You are subscribed again" in again.content.decode()
    assert rules() == [(owner.email, "email", "stage.accepted", True)]


def test_who_is_unsubscribed_already_sees_it(anybody: Client, owner: User, path: str) -> None:
    Subscription.objects.create(user=owner, channel="email", kind="stage.*", is_enabled=False)
    assert "You are unsubscribed" in anybody.get(path).content.decode()


@pytest.mark.parametrize("kind", ["alert", "escalation"])
def test_who_is_still_told_of_what_is_critical_can_end_that(anybody: Client, owner: User, kind: str) -> None:
    Subscription.objects.create(user=owner, channel="email", kind="", is_enabled=False)
    path = f"/unsubscribe/{unsubscribe_links.token_of(Target(owner.pk, kind, 'email'))}/"
    page = anybody.get(path).content.decode()
    assert "You are unsubscribed" not in page
    assert Form(page).fields == ONE_CLICK
    assert "You are unsubscribed" in anybody.post(path, ONE_CLICK).content.decode()
    assert (owner.email, "email", kind, False) in rules()


def test_the_page_tells_nothing_about_the_person(anybody: Client, owner: User, path: str) -> None:
    PreferenceFactory(user=owner)
    for answer in (anybody.get(path), anybody.post(path, ONE_CLICK)):
        page = answer.content.decode()
        assert not re.search(r"owner@|Ana", page)
        assert answer["Cache-Control"].count("no-store") == 1
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["X-Robots-Tag"] == "noindex"


@pytest.fixture
def bad_tokens(owner: User, target: Target, settings: Settings) -> Iterator[str]:
    good = unsubscribe_links.token_of(target)
    other = unsubscribe_links.token_of(Target(uuid4(), target.kind, target.channel))
    body, _, signature = good.rpartition(":")
    settings.SECRET_KEY_FALLBACKS = []
    return iter(
        [
            "x",
            body,
            f"{body}:",
            f"{good}x",
            f"{other.rpartition(':')[0]}:{signature}",
            "a" * 600,
            "%00",
            "é",
            signing.Signer(salt="another").sign_object([owner.pk.hex, target.kind, target.channel]),
            signing.Signer(salt="notifications.unsubscribe").sign_object("x"),
            signing.Signer(salt="notifications.unsubscribe").sign_object([1, 2, 3]),
            signing.Signer(salt="notifications.unsubscribe").sign_object(["x", "k", "email"]),
            signing.Signer(salt="notifications.unsubscribe").sign_object([owner.pk.hex]),
            other,
        ]
    )


def test_a_link_that_is_none_of_ours_leads_nowhere(anybody: Client, bad_tokens: Iterator[str]) -> None:
    for token in bad_tokens:
        assert anybody.get(f"/unsubscribe/{token}/").status_code == 404, token[:100]
        assert anybody.post(f"/unsubscribe/{token}/", ONE_CLICK).status_code == 404, token[:100]
    assert rules() == []


def test_a_link_outlives_the_change_of_the_key_only_as_far_as_the_operator_says(
    anybody: Client, path: str, settings: Settings
) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key altogether, and long enough"
    assert anybody.post(path, ONE_CLICK).status_code == 404
    settings.SECRET_KEY_FALLBACKS = [old]
    assert anybody.post(path, ONE_CLICK).status_code == 200


def test_a_stranger_who_is_logged_in_acts_for_the_links_person(
    anybody: Client, owner: User, stranger: User, path: str
) -> None:
    anybody.force_login(stranger)
    anybody.post(path, ONE_CLICK)
    assert {row[0] for row in rules()} == {owner.email}


def test_somebody_with_all_the_rules_there_may_be_gets_rid_of_mail_all_the_same(
    anybody: Client, owner: User, path: str
) -> None:
    Subscription.objects.bulk_create(
        Subscription(user=owner, channel="email", kind=f"k{n}", is_enabled=True) for n in range(200)
    )
    assert anybody.post(path, ONE_CLICK).status_code == 200
    assert Subscription.objects.count() == 201


def test_an_inactive_person_is_heard_too(anybody: Client, owner: User, path: str) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert anybody.post(path, ONE_CLICK).status_code == 200
    assert len(rules()) == 1
