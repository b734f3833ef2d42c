"""The staff's list of users: who may see it, what can be changed, and that nobody locks themselves out."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import User
from accounts.services.users import user_administer
from tests.factories import UserFactory

USERS = "/api/v1/users/"
LogIn = Callable[[User], APIClient]
Bearing = Callable[[object], APIClient]


def one(user: User, slash: str = "/") -> str:
    return f"{USERS}{user.pk}{slash}"


@pytest.fixture
def desk(operator: User, as_user: LogIn) -> APIClient:
    """The operator's: staff, and a superuser."""
    return as_user(operator)


@pytest.fixture
def clerk(db: None) -> User:
    """An administrator who is no superuser."""
    return UserFactory(email="clerk@example.com", role="admin", is_staff=True)


# --- Seeing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [USERS, USERS.rstrip("/")])
def test_the_staff_see_everybody_newest_first(
    desk: APIClient, operator: User, clerk: User, as_user: LogIn, path: str
) -> None:
    for client in (desk, as_user(clerk)):
        found = client.get(path).json()["results"]
        assert [user["email"] for user in found] == ["clerk@example.com", "operator@example.com"]


def test_what_is_shown_of_somebody(desk: APIClient, clerk: User) -> None:
    shown = desk.get(one(clerk)).json()
    assert shown == desk.get(USERS).json()["results"][0]
    assert {key: shown[key] for key in ("id", "email", "role", "is_active", "is_staff", "last_login")} == {
        "id": str(clerk.pk),
        "email": "clerk@example.com",
        "role": "admin",
        "is_active": True,
        "is_staff": True,
        "last_login": None,
    }
    assert "password" not in shown


def test_the_list_comes_in_pages(desk: APIClient) -> None:
    UserFactory.create_batch(5)
    first = desk.get(USERS, {"page_size": 4}).json()
    second = desk.get(first["next"]).json()
    emails = [user["email"] for page in (first, second) for user in page["results"]]
    assert len(emails) == len(set(emails)) == 6
    assert second["next"] is None


def test_the_list_costs_the_same_for_many(desk: APIClient) -> None:
    desk.get(USERS)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(USERS).status_code == 200
        return len(queries)

    few = cost()
    UserFactory.create_batch(20)
    # The session, its user, and one query for the page.
    assert cost() == few == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "eva"}, {"eva@example.com"}),
        ({"search": "EVA"}, {"eva@example.com"}),
        ({"search": "luz"}, {"eva@example.com", "rui@example.com"}),
        ({"search": "eva luz"}, {"eva@example.com"}),
        ({"search": "eva nobody"}, set()),
        ({"search": "rui@"}, {"rui@example.com"}),
        ({"search": "%"}, set()),
        ({"role": "student"}, {"eva@example.com"}),
        ({"role": "encadrant"}, {"rui@example.com"}),
        ({"is_active": "false"}, {"rui@example.com"}),
        ({"is_active": "true", "role": "encadrant"}, set()),
        ({"is_active": "true", "search": "luz"}, {"eva@example.com"}),
    ],
)
def test_the_list_can_be_narrowed(desk: APIClient, query: dict[str, str], found: set[str]) -> None:
    UserFactory(email="eva@example.com", first_name="Eva", last_name="Luz", role="student")
    UserFactory(email="rui@example.com", first_name="Rui", last_name="Luz", role="encadrant", is_active=False)
    assert {user["email"] for user in desk.get(USERS, query).json()["results"]} == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "boss"),
        ("is_active", "maybe"),
        ("is_active", "1"),
        ("search", "x" * 101),
        ("search", ""),
        ("search", "a\x00"),
        ("emial", "x"),
        ("page_size", "0"),
        ("cursor", "x"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(desk: APIClient, name: str, value: str) -> None:
    refused = desk.get(USERS, {name: value})
    assert (refused.status_code, list(refused.json())) == (400, [name])


# --- Changing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["/", ""])
def test_details_are_changed(desk: APIClient, owner: User, slash: str) -> None:
    changes = {"first_name": "Eva", "last_name": "Luz", "language": "fr", "time_zone": "Europe/Paris"}
    answer = desk.patch(one(owner, slash), changes)
    assert answer.status_code == 200
    assert answer.json().items() >= changes.items()
    assert User.objects.filter(pk=owner.pk, **changes).exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "becomes", "staff"),
    [
        ("student", "encadrant", False),
        ("student", "admin", True),
        ("", "admin", True),
        ("admin", "student", False),
        ("admin", "admin", True),
    ],
)
def test_who_becomes_an_administrator_is_staff_and_who_ceases_to_be_is_not(
    desk: APIClient, was: str, becomes: str, staff: bool
) -> None:
    user = UserFactory(role=was, is_staff=was == "admin")
    answer = desk.patch(one(user), {"role": becomes})
    assert answer.status_code == 200
    user.refresh_from_db()
    assert (user.role, user.is_staff, user.is_superuser) == (becomes, staff, False)
    assert (answer.json()["role"], answer.json()["is_staff"]) == (becomes, staff)


def test_other_staff_stay_staff(desk: APIClient) -> None:
    """Those whom the admin made staff, without a role."""
    user = UserFactory(is_staff=True)
    desk.patch(one(user), {"role": "encadrant"})
    user.refresh_from_db()
    assert user.is_staff


def test_who_is_locked_out_is_out_at_once(
    desk: APIClient, owner: User, as_user: LogIn, bearing: Bearing, anonymous: APIClient
) -> None:
    session, token = as_user(owner), bearing(AccessToken.for_user(owner))
    refresh = {"refresh_token": str(RefreshToken.for_user(owner))}
    assert desk.patch(one(owner), {"is_active": False}).json()["is_active"] is False
    me = "/api/v1/users/me/"
    assert (session.get(me).status_code, token.get(me).status_code) == (401, 401)
    assert anonymous.post("/api/v1/auth/refresh/", refresh).status_code == 401
    assert desk.patch(one(owner), {"is_active": True}).json()["is_active"] is True
    assert anonymous.post("/api/v1/auth/refresh/", refresh).status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("role", "boss"),
        ("role", ""),
        ("role", None),
        ("role", ["admin"]),
        ("is_active", "false"),
        ("is_active", 0),
        ("is_active", None),
        ("first_name", 1),
        ("last_name", "x" * 151),
        ("language", "de"),
        ("time_zone", "Mars/Base"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    desk: APIClient, owner: User, field: str, value: object
) -> None:
    refused = desk.patch(one(owner), {field: value})
    assert (refused.status_code, list(refused.json())) == (400, [field])


def test_the_rest_is_not_the_staffs_to_change(desk: APIClient, owner: User) -> None:
    before = User.objects.filter(pk=owner.pk).values().get()
    more = {
        "email": "x@example.com",
        "password": "x",
        "is_staff": True,
        "is_superuser": True,
        "phone": "+33612345678",
    }
    assert desk.patch(one(owner), more).status_code == 200
    assert User.objects.filter(pk=owner.pk).values().get() == before


def test_somebody_is_deleted(desk: APIClient, owner: User) -> None:
    assert desk.delete(one(owner)).status_code == 204
    assert desk.get(one(owner)).status_code == 404
    assert not User.objects.filter(pk=owner.pk).exists()


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_who_is_not_there_is_not_found(desk: APIClient, method: str) -> None:
    assert getattr(desk, method)(f"{USERS}{uuid4()}/").status_code == 404


# --- Nobody locks themselves out, or rises above their rank ----------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"is_active": False}, {"role": "student"}, {"role": "encadrant", "is_active": True}]
)
def test_nobody_locks_themselves_out(clerk: User, as_user: LogIn, changes: dict[str, object]) -> None:
    client = as_user(clerk)
    refused = client.patch(one(clerk), changes)
    assert (refused.status_code, list(refused.json())) == (403, ["detail"])
    assert client.delete(one(clerk)).status_code == 403
    clerk.refresh_from_db()
    assert (clerk.role, clerk.is_staff, clerk.is_active) == ("admin", True, True)


def test_the_rest_of_oneself_can_be_changed(clerk: User, as_user: LogIn) -> None:
    changes = {"first_name": "Eva", "role": "admin", "is_active": True}
    assert as_user(clerk).patch(one(clerk), changes).status_code == 200


def test_a_superuser_does_not_lock_themselves_out_either(desk: APIClient, operator: User) -> None:
    assert desk.patch(one(operator), {"is_active": False}).status_code == 403
    assert desk.delete(one(operator)).status_code == 403
    # Staff by the superuser's rank, and not by the role.
    assert desk.patch(one(operator), {"role": "student"}).status_code == 200
    operator.refresh_from_db()
    assert operator.is_staff


@pytest.mark.parametrize("changes", [{"is_active": False}, {"role": "admin"}, {"first_name": "Eva"}])
def test_only_a_superuser_changes_a_superuser(
    operator: User, clerk: User, as_user: LogIn, changes: dict[str, object]
) -> None:
    assert as_user(clerk).patch(one(operator), changes).status_code == 403
    assert as_user(clerk).delete(one(operator)).status_code == 403
    operator.refresh_from_db()
    assert (operator.is_active, operator.role, operator.first_name) == (True, "", "Ana")


def test_a_superuser_who_ceases_to_be_an_administrator_stays_one_of_the_staff(operator: User) -> None:
    other = UserFactory(role="admin", is_staff=True, is_superuser=True)
    assert user_administer(user=other, by=operator, role="student").is_staff


# --- Strangers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", ["", "student", "encadrant"])
def test_others_neither_see_nor_change_anybody(owner: User, as_user: LogIn, rank: str) -> None:
    before = User.objects.filter(pk=owner.pk).values().get()
    client = as_user(UserFactory(role=rank))
    assert client.get(USERS).status_code == 403
    for path in (one(owner), f"{USERS}{uuid4()}/"):
        answers = [client.get(path), client.patch(path, {"role": "admin"}), client.delete(path)]
        # The same whether there is somebody of that id or not.
        assert [answer.status_code for answer in answers] == [403] * 3
    assert User.objects.filter(pk=owner.pk).values().get() == before


def test_nobody_raises_themselves(owner: User, as_user: LogIn) -> None:
    assert as_user(owner).patch(one(owner), {"role": "admin"}).status_code == 403
    owner.refresh_from_db()
    assert (owner.role, owner.is_staff) == ("", False)


def test_neither_do_machines_and_the_anonymous(
    owner: User, anonymous: APIClient, as_machine: Callable[..., APIClient]
) -> None:
    machine = as_machine("events:write", "events:read", "deliveries:read")
    for client, code in ((anonymous, 401), (machine, 403)):
        assert client.get(USERS).status_code == code
        assert client.get(one(owner)).status_code == code
        assert client.patch(one(owner), {"role": "admin"}).status_code == code
        assert client.delete(one(owner)).status_code == code


def test_an_administrator_who_was_demoted_sees_nobody_at_once(
    desk: APIClient, clerk: User, bearing: Bearing, owner: User
) -> None:
    token: Any = bearing(AccessToken.for_user(clerk))
    assert token.get(USERS).status_code == 200
    desk.patch(one(clerk), {"role": "student"})
    assert token.get(USERS).status_code == 403
    assert token.delete(one(owner)).status_code == 403
