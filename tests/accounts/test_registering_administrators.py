"""SPEC 3.1: nobody makes themselves an administrator, whatever they send."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.services import user_register
from tests.accounts.conftest import ANA
from tests.factories import UserFactory

PATH = "/api/v1/auth/register/"
Bearing = Callable[[object], APIClient]


@pytest.fixture(autouse=True)
def _unlimited(rate: Any) -> None:
    """What a rate does is for its own tests."""


def test_nobody_makes_themselves_an_administrator(db: None, anonymous: APIClient) -> None:
    refused = anonymous.post(PATH, {**ANA, "role": "admin"})
    assert refused.status_code == 403
    assert refused.json() == {"role": ["Only an administrator can register an administrator."]}
    assert not User.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"is_staff": True, "is_superuser": True},
        {"is_staff": "true", "groups": [1], "user_permissions": [1]},
        {"user": {"role": "admin", "is_staff": True}},
        {"Role": "admin", "ROLE": "admin", "role ": "admin", "roles": ["admin"], "role[]": "admin"},
        {"role.role": "admin", "role__in": "admin", "user.role": "admin"},
        {"by": "operator@example.com", "created_at": "2020-01-01", "uuid": "x", "is_active": True},
        {"email_verified_at": "2020-01-01T00:00:00Z", "phone_verified_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_no_other_field_gives_a_rank(db: None, anonymous: APIClient, more: dict[str, object]) -> None:
    answer = anonymous.post(PATH, {**ANA, **more})
    assert answer.status_code == 201
    user = User.objects.get()
    assert (user.role, user.is_staff, user.is_superuser) == ("student", False, False)
    assert (user.email_verified_at, user.phone_verified_at) == (None, None)
    assert not user.groups.exists()
    assert not user.user_permissions.exists()


@pytest.mark.parametrize("roles", [("student", "admin"), ("admin", "student")])
def test_a_role_given_twice_gives_no_rank(db: None, anonymous: APIClient, roles: tuple[str, str]) -> None:
    fields = {name: value for name, value in ANA.items() if name != "role"}
    twice = ", ".join(f'"role": "{role}"' for role in roles)
    body = json.dumps(fields)[:-1] + ", " + twice + "}"
    anonymous.generic("POST", PATH, body, content_type="application/json")
    assert not User.objects.filter(role="admin").exists()
    assert not User.objects.filter(is_staff=True).exists()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (
            "email=ana@example.com&password=correct+horse+battery&role=admin",
            "application/x-www-form-urlencoded",
        ),
        (
            "--x\r\nContent-Disposition: form-data; name=role\r\n\r\nadmin\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        ("<user><role>admin</role></user>", "application/xml"),
        (json.dumps({**ANA, "role": "admin"}), "text/plain"),
        (json.dumps({**ANA, "role": "admin"}), "application/json; charset=utf-16"),
    ],
)
def test_no_other_kind_of_body_gives_a_rank(
    db: None, anonymous: APIClient, body: str, content_type: str
) -> None:
    refused = anonymous.generic("POST", PATH, body, content_type=content_type)
    assert refused.status_code in (400, 403, 415)
    assert not User.objects.exists()


@pytest.mark.parametrize("body", [[], "x", None, 1, [{"role": "admin"}]])
def test_what_is_no_object_is_refused(db: None, anonymous: APIClient, body: Any) -> None:
    assert anonymous.post(PATH, body).status_code == 400


@pytest.mark.parametrize("query", ["?role=admin", "?is_staff=true&is_superuser=1"])
def test_the_address_gives_no_rank(db: None, anonymous: APIClient, query: str) -> None:
    anonymous.post(PATH + query, ANA)
    assert not User.objects.get().is_staff


@pytest.mark.parametrize("rank", ["student", "encadrant", ""])
def test_no_token_of_an_ordinary_person_is_enough(db: None, bearing: Bearing, rank: str) -> None:
    user = UserFactory(role=rank)
    refused = bearing(AccessToken.for_user(user)).post(PATH, {**ANA, "role": "admin"})
    assert (refused.status_code, list(refused.json())) == (403, ["role"])


def test_no_key_of_a_machine_is_enough(as_machine: Callable[..., APIClient]) -> None:
    refused = as_machine("alerts:write", "events:write").post(PATH, {**ANA, "role": "admin"})
    assert (refused.status_code, list(refused.json())) == (403, ["role"])


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer tsn_unknown"])
def test_no_forged_token_is_enough(db: None, anonymous: APIClient, header: str) -> None:
    refused = anonymous.post(PATH, {**ANA, "role": "admin"}, HTTP_AUTHORIZATION=header)
    assert refused.status_code == 401
    assert not User.objects.exists()


def test_the_token_of_somebody_locked_out_is_not_enough(operator: User, bearing: Bearing) -> None:
    token = AccessToken.for_user(operator)
    User.objects.filter(pk=operator.pk).update(is_active=False)
    assert bearing(token).post(PATH, {**ANA, "role": "admin"}).status_code == 401


def test_an_administrator_registers_an_administrator(operator: User, bearing: Bearing) -> None:
    answer = bearing(AccessToken.for_user(operator)).post(PATH, {**ANA, "role": "admin"})
    assert answer.status_code == 201
    made = User.objects.get(email=ANA["email"])
    assert (made.role, made.is_staff, made.is_superuser) == ("admin", True, False)


def test_the_service_holds_to_it_too(operator: User, owner: User) -> None:
    for by in (None, owner, User(is_staff=True, is_active=False)):
        with pytest.raises(PermissionDenied):
            user_register(**{**ANA, "role": "admin"}, by=by)
    assert user_register(**{**ANA, "role": "admin"}, by=operator).is_staff
