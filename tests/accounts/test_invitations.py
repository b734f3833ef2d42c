"""Who may register is the operator's to say; those who may not can be invited."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import retention
from accounts.checks import registration_makes_sense
from accounts.models import Invitation, User
from accounts.verification import token_of
from config.slices import Run
from notifications.engine.sender import Sender
from notifications.models import Delivery
from tests.accounts.conftest import ANA
from tests.clock import Clock
from tests.factories import UserFactory
from tests.servers.smtp import MailServer

LogIn = Callable[[User], APIClient]

PATH = "/api/v1/auth/register/"
INVITATIONS = "/api/v1/invitations/"
WISH = {"email": ANA["email"], "role": "student"}
PAGE = {**ANA, "time_zone": "UTC"}
DOORS = ["open", "domains", "invitation", "closed"]


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.SMTP_HOST, settings.SMTP_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def door(settings: Any) -> Callable[..., None]:
    def put(door: str, *domains: str) -> None:
        settings.REGISTRATION, settings.REGISTRATION_DOMAINS = door, list(domains)

    return put


def invited(**fields: Any) -> str:
    """Have Ana invited; returns the token of her link."""
    fields = {**WISH, "expires_at": timezone.now() + timedelta(days=7), **fields}
    return token_of(Invitation.objects.create(**fields).pk)


# --- The door ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "domains", "code", "at"),
    [
        ("open", [], 201, ""),
        ("domains", ["example.com", "example.org"], 201, ""),
        ("domains", ["example.org"], 403, "email"),
        ("domains", ["com", "le.com", "sub.example.com"], 403, "email"),
        ("invitation", [], 403, "detail"),
        ("closed", [], 403, "detail"),
    ],
)
def test_who_may_register(
    anonymous: APIClient, db: None, door: Any, how: str, domains: list[str], code: int, at: str
) -> None:
    door(how, *domains)
    answer = anonymous.post(PATH, ANA)
    assert answer.status_code == code, answer.content
    assert User.objects.filter(email=ANA["email"]).exists() == (code == 201)
    if at:
        assert list(answer.json()) == [at]
        # The original's path and the page are the same door.
        assert anonymous.post("/auth/api/v1/register", ANA).status_code == 403
        assert Client().post("/register/", PAGE).status_code == (422 if how == "domains" else 403)
        assert not User.objects.exists()


@pytest.mark.parametrize("how", ["domains", "invitation", "closed"])
def test_a_shut_door_does_not_tell_who_has_an_account(
    anonymous: APIClient, db: None, door: Any, how: str
) -> None:
    UserFactory(email=ANA["email"])
    door(how, "example.org")
    known, unknown = (anonymous.post(PATH, ANA | {"email": each}) for each in (ANA["email"], "b@b.example"))
    assert known.status_code == unknown.status_code == 403
    assert known.content == unknown.content


@pytest.mark.parametrize("how", DOORS)
def test_the_staff_register_people_always(as_user: LogIn, operator: User, door: Any, how: str) -> None:
    door(how, "example.org")
    assert as_user(operator).post(PATH, ANA).status_code == 201


@pytest.mark.parametrize("how", DOORS)
def test_the_link_to_the_page_is_there_for_whoever_may(db: None, door: Any, how: str) -> None:
    door(how, "example.org")
    browser, may = Client(), how in ("open", "domains")
    for page in ("/", "/login/"):
        assert ("/register/" in browser.get(page).content.decode()) == may
    assert browser.get("/register/").status_code == (200 if may else 403)


def test_settings_that_can_not_be_meant_are_found(door: Any) -> None:
    door("ajar")
    assert [each.id for each in registration_makes_sense()] == ["accounts.E003"]
    door("domains")
    assert [each.id for each in registration_makes_sense()] == ["accounts.E004"]
    door("domains", "example.com")
    assert registration_makes_sense() == []


# --- Invitations ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_somebody_is_invited_by_mail_and_registers_once(
    as_user: LogIn, mail: MailServer, door: Any, settings: Any, clock: Clock
) -> None:
    door("invitation")
    settings.PUBLIC_URL = "https://tocsin.example.com"
    operator = UserFactory(is_staff=True)
    answer = as_user(operator).post(INVITATIONS, WISH)
    assert answer.status_code == 201, answer.content
    sender = Sender(clock=clock)
    sender.start()
    try:
        (mailed,) = mail.wait_for(1, timeout=20)
    finally:
        sender.stop()
    assert mailed.recipients == [ANA["email"]]
    text = mailed.message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = re.search(r"https://tocsin\.example\.com(/register/\?invitation=\S+)", text)
    assert found
    assert found[1].rpartition("=")[0] not in str(Delivery.objects.get().notification.body)
    browser = Client()
    page = browser.get(found[1])
    assert page.status_code == 200
    assert ANA["email"] in page.content.decode()
    assert browser.get(found[1]).status_code == 200  # looking does not use it up
    token = page.context["form"].initial["invitation"]
    assert browser.post("/register/", PAGE | {"invitation": token}).status_code == 302
    user = User.objects.get(email=ANA["email"])
    assert user.email_verified_at
    assert Client().get(found[1]).status_code == 403
    shown = as_user(operator).get(INVITATIONS).json()["results"]
    assert [(each["email"], bool(each["used_at"])) for each in shown] == [(ANA["email"], True)]
    assert token not in str(shown)


def test_the_api_takes_an_invitation_and_the_same_request_again(
    anonymous: APIClient, db: None, door: Any
) -> None:
    door("invitation")
    wish = ANA | {"invitation": invited()}
    assert [anonymous.post(PATH, wish).status_code for _ in range(2)] == [201, 200]
    User.objects.all().delete()
    assert anonymous.post(PATH, wish).status_code == 403


@pytest.mark.parametrize(
    "spoilt",
    [
        {"invitation": "x"},
        {"invitation": token_of(Invitation().pk)},
        {"email": "eva@example.com"},
        {"role": "encadrant"},
        {"role": "admin"},
    ],
)
def test_an_invitation_is_for_one_address_and_role(
    anonymous: APIClient, db: None, door: Any, spoilt: dict[str, str]
) -> None:
    door("invitation")
    wish = ANA | {"invitation": invited()} | spoilt
    assert anonymous.post(PATH, wish).status_code in (400, 403)
    assert not User.objects.exists()
    assert Invitation.objects.get().used_at is None


def test_an_invitation_ends(anonymous: APIClient, db: None, door: Any) -> None:
    door("invitation")
    token = invited(expires_at=timezone.now() - timedelta(seconds=1))
    assert anonymous.post(PATH, ANA | {"invitation": token}).status_code == 403
    assert Client().get(f"/register/?invitation={token}").status_code == 403
    retention.invitations_expire(Run(now=timezone.now() + timedelta(days=6)))
    assert Invitation.objects.exists()
    retention.invitations_expire(Run(now=timezone.now() + timedelta(days=8)))
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(("how", "code"), [("open", 201), ("domains", 201), ("closed", 403)])
def test_an_invitation_opens_every_door_but_a_closed_one(
    anonymous: APIClient, db: None, door: Any, how: str, code: int
) -> None:
    door(how, "example.org")
    assert anonymous.post(PATH, ANA | {"invitation": invited()}).status_code == code


def test_one_that_is_taken_back_works_no_more(
    as_user: LogIn, anonymous: APIClient, operator: User, door: Any
) -> None:
    door("invitation")
    token = invited()
    path = f"{INVITATIONS}{Invitation.objects.get().pk}/"
    assert as_user(operator).delete(path).status_code == 204
    assert anonymous.post(PATH, ANA | {"invitation": token}).status_code == 403


def test_only_the_staff_invite(
    as_user: LogIn, as_machine: Any, stranger: User, operator: User, anonymous: APIClient, mail: MailServer
) -> None:
    invited()
    path = f"{INVITATIONS}{Invitation.objects.get().pk}/"
    for client, code in ((as_user(stranger), 403), (as_machine("events:write"), 403), (anonymous, 401)):
        assert client.post(INVITATIONS, WISH).status_code == code
        assert client.get(INVITATIONS).status_code == code
        assert client.delete(path).status_code == code
    staff = as_user(operator)
    assert staff.post(INVITATIONS, WISH | {"role": "admin"}).status_code == 400
    assert staff.post(INVITATIONS, WISH | {"email": "no address"}).status_code == 400
    assert staff.post(INVITATIONS, WISH | {"email": stranger.email}).status_code == 409
    assert Invitation.objects.count() == 1


@pytest.mark.slow
def test_the_admin_invites_and_takes_back(operator: User, mail: MailServer) -> None:
    browser = Client()
    browser.force_login(operator)
    path = "/admin/accounts/invitation/"
    assert browser.post(f"{path}add/", WISH).status_code == 302
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role, invitation.invited_by) == (ANA["email"], "student", operator)
    assert Delivery.objects.get().address == ANA["email"]
    assert browser.post(f"{path}add/", WISH | {"email": operator.email}).status_code == 200
    assert token_of(invitation.pk) not in browser.get(path).content.decode()
    assert browser.post(f"{path}{invitation.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Invitation.objects.exists()


def test_where_no_mail_can_be_sent_the_admin_says_so(operator: User, settings: Any) -> None:
    settings.SMTP_HOST = ""
    browser = Client()
    browser.force_login(operator)
    answer = browser.post("/admin/accounts/invitation/add/", WISH, follow=True)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "No channel for email is set up." in page
    assert "successfully" not in page
    assert not Invitation.objects.exists()
