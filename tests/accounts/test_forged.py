"""Tokens that were not made here, or not for this, open nothing."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from accounts.api.tokens import Refresh
from accounts.models import User
from accounts.verification import token_of
from tests.accounts.conftest import PASSWORD
from tests.factories import UserFactory

ME, REFRESH = "/api/v1/users/me/", "/api/v1/auth/refresh/"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def claims_of(user: User, **changed: Any) -> dict[str, Any]:
    return dict(Refresh.for_user(user).access_token.payload) | changed


def opened(token: str) -> int:
    return int(APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get(ME).status_code)


@pytest.mark.slow
def test_a_good_one_opens(owner: User) -> None:
    assert opened(jwt.encode(claims_of(owner), settings.SECRET_KEY, algorithm="HS256")) == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_one_that_is_signed_by_nobody_opens_nothing(owner: User, algorithm: str, signature: str) -> None:
    head = part({"alg": algorithm, "typ": "JWT"})
    assert opened(f"{head}.{part(claims_of(owner))}.{signature}") == 401


@pytest.mark.parametrize("key", ["", "secret", "django-insecure"])
def test_one_that_is_signed_with_another_key_opens_nothing(owner: User, key: str) -> None:
    assert opened(jwt.encode(claims_of(owner), key.ljust(32, "x"), algorithm="HS256")) == 401


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_opens_nothing(owner: User, algorithm: str) -> None:
    assert opened(jwt.encode(claims_of(owner), settings.SECRET_KEY, algorithm=algorithm)) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"token_type": "refresh"},
        {"exp": 1},
        {"epoch": 1},
        {"hash_password": "x"},
        {"hash_password": None},
        {"sub": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11"},
    ],
)
def test_one_that_says_something_else_opens_nothing(owner: User, changed: dict[str, Any]) -> None:
    """Though it is signed with our own key, as one of another time or purpose is."""
    assert opened(jwt.encode(claims_of(owner, **changed), settings.SECRET_KEY, algorithm="HS256")) == 401


def test_a_token_of_a_mail_is_no_other_mail_s_and_no_access_token(owner: User, stranger: User) -> None:
    verification = owner.verifications.create(
        purpose="email",
        address=owner.email,
        expires_at=owner.created_at + timedelta(days=1),
        created_at=owner.created_at,
    )
    token = token_of(verification.pk)
    assert opened(token) == 401
    body = {"token": token, "new_password": "staple full of hay"}
    assert APIClient().post("/api/v1/auth/password/reset/confirm/", body).status_code == 400
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_a_session_s_cookie_that_was_made_up_opens_nothing(owner: User) -> None:
    for key in ("", "x", "0" * 32, "a" * 40, "aaaaaaaa\0bbbb", "../../etc/passwd", "é" * 32):
        client = APIClient()
        client.cookies["sessionid"] = key
        assert client.get(ME).status_code == 401


def test_a_session_of_another_password_opens_nothing(db: None, as_user: Any) -> None:
    user = UserFactory()
    client = as_user(user)
    assert client.get(ME).status_code == 200
    User.objects.filter(pk=user.pk).update(password="!")
    assert client.get(ME).status_code == 401
