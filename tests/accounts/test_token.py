"""Logging in with email and password, and one's own account."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User

TOKEN, REFRESH, ME = "/api/v1/auth/token/", "/api/v1/auth/token/refresh/", "/api/v1/users/me/"
PASSWORD = "correct horse battery"
LogIn = Callable[[User], APIClient]


def bearer(token: object) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.parametrize("path", [TOKEN, TOKEN.rstrip("/")])
def test_a_person_logs_in_and_is_known(owner: User, anonymous: APIClient, path: str) -> None:
    tokens = anonymous.post(path, {"email": "Owner@Example.com", "password": PASSWORD})
    assert tokens.status_code == 200
    assert bearer(tokens.json()["access"]).get(ME).json()["email"] == owner.email


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "owner@example.com"},
        {"email": None, "password": None},
        {"email": [], "password": {}},
        {"email": "a\x00b", "password": "x"},
        [],
        "x",
        None,
    ],
)
def test_a_bad_log_in_is_refused(owner: User, anonymous: APIClient, body: Any) -> None:
    assert anonymous.post(TOKEN, body).status_code == 400


@pytest.mark.parametrize(
    ("email", "password"),
    [("owner@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("x", "\U0001f600")],
)
def test_wrong_credentials_answer_401(owner: User, anonymous: APIClient, email: str, password: str) -> None:
    refused = anonymous.post(TOKEN, {"email": email, "password": password})
    assert refused.status_code == 401
    assert list(refused.json()) == ["detail"]


def test_who_is_not_active_can_not_log_in_or_go_on(owner: User, anonymous: APIClient) -> None:
    access, refresh = AccessToken.for_user(owner), RefreshToken.for_user(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert anonymous.post(TOKEN, {"email": owner.email, "password": PASSWORD}).status_code == 401
    assert bearer(access).get(ME).status_code == 401
    assert anonymous.post(REFRESH, {"refresh": str(refresh)}).status_code == 401


def test_who_is_gone_can_not_go_on(owner: User, anonymous: APIClient) -> None:
    access, refresh = AccessToken.for_user(owner), RefreshToken.for_user(owner)
    owner.delete()
    assert bearer(access).get(ME).status_code == 401
    assert anonymous.post(REFRESH, {"refresh": str(refresh)}).status_code == 401


def test_a_token_is_refreshed(owner: User, anonymous: APIClient) -> None:
    refreshed = anonymous.post(REFRESH, {"refresh": str(RefreshToken.for_user(owner))})
    assert bearer(refreshed.json()["access"]).get(ME).status_code == 200


@pytest.mark.parametrize("refresh", ["", "x", "a.b.c", "\x00", None, 1, ["x"]])
def test_a_bad_refresh_token_is_refused(db: None, anonymous: APIClient, refresh: object) -> None:
    assert anonymous.post(REFRESH, {"refresh": refresh}).status_code in (400, 401)


def test_an_access_token_expires(owner: User) -> None:
    token = AccessToken.for_user(owner)
    token.set_exp(lifetime=timedelta(seconds=-1))
    assert bearer(token).get(ME).status_code == 401


def test_a_refresh_token_opens_nothing(owner: User) -> None:
    assert bearer(RefreshToken.for_user(owner)).get(ME).status_code == 401


def test_log_ins_are_throttled(owner: User, anonymous: APIClient) -> None:
    answers = [anonymous.post(TOKEN, {"email": owner.email, "password": "wrong"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) > 0


def test_ones_account_is_shown(as_user: LogIn, owner: User) -> None:
    assert as_user(owner).get(ME).json() == {
        "uuid": str(owner.pk),
        "email": "owner@example.com",
        "first_name": "Ana",
        "last_name": "",
        "language": "en",
        "time_zone": "UTC",
        "phone": "",
    }


def test_ones_account_is_changed(as_user: LogIn, owner: User) -> None:
    changes = {
        "last_name": "Lima",
        "language": "fr",
        "time_zone": "Europe/Paris",
        "phone": "+33 6 12 34 56 78",
    }
    answer = as_user(owner).patch(ME.rstrip("/"), changes)
    assert answer.status_code == 200
    owner.refresh_from_db()
    assert (owner.last_name, owner.language, owner.time_zone) == ("Lima", "fr", "Europe/Paris")
    assert owner.phone == answer.json()["phone"] == "+33612345678"


def test_email_and_rank_can_not_be_changed_so(as_user: LogIn, owner: User) -> None:
    as_user(owner).patch(ME, {"email": "x@example.com", "uuid": "x", "is_staff": True, "is_superuser": True})
    owner.refresh_from_db()
    assert (owner.email, owner.is_staff, owner.is_superuser) == ("owner@example.com", False, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "de"),
        ("language", 1),
        ("language", None),
        ("time_zone", "Mars/Base"),
        ("time_zone", ""),
        ("time_zone", 1),
        ("time_zone", "a\x00"),
        ("phone", "0612345678"),
        ("phone", 33612345678),
        ("phone", "x" * 33),
        ("phone", "+33\x00"),
        ("first_name", "x" * 151),
        ("first_name", 1),
        ("last_name", None),
        ("last_name", "a\x00"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    as_user: LogIn, owner: User, field: str, value: object
) -> None:
    refused = as_user(owner).patch(ME, {field: value})
    assert (refused.status_code, list(refused.json())) == (400, [field])


def test_a_machine_is_nobody(as_machine: Callable[..., APIClient]) -> None:
    assert as_machine("alerts:read").get(ME).status_code == 403
