"""One's own account: shown, changed and deleted by oneself."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import Student, User, Verification
from accounts.services import profile_ensure
from accounts.services.users import user_update
from accounts.sessions import is_fresh, mark_begun
from tests.accounts.conftest import PASSWORD
from tests.factories import ContactPointFactory, MembershipFactory

ME = "/api/v1/users/me/"
INSERT = "INSERT INTO accounts_student (id, user_id, created_at) VALUES (uuidv7(), %s, now())"
LogIn = Callable[[User], APIClient]
Bearing = Callable[[object], APIClient]


@pytest.fixture(autouse=True)
def _unlimited(rate: Any) -> None:
    """What a rate does is for its own tests."""


@pytest.fixture
def token_of_owner(owner: User, bearing: Bearing) -> APIClient:
    """The owner, with a token and no session."""
    return bearing(AccessToken.for_user(owner))


@pytest.mark.parametrize("path", [ME, ME.rstrip("/")])
def test_ones_account_is_shown(as_user: LogIn, owner: User, path: str) -> None:
    assert as_user(owner).get(path).json() == {
        "id": str(owner.pk),
        "email": "owner@example.com",
        "first_name": "Ana",
        "last_name": "",
        "role": "",
        "language": "en",
        "time_zone": "UTC",
        "phone": "",
        "email_verified_at": None,
        "phone_verified_at": None,
        "created_at": owner.created_at.isoformat().replace("+00:00", "Z"),
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


def test_a_change_writes_nothing_else(owner: User) -> None:
    """Somebody else may be changing the rest at the same time."""
    User.objects.update(last_name="Luz", is_staff=True, email_verified_at=timezone.now())
    user_update(user=owner, first_name="Eva")
    stored = User.objects.get(pk=owner.pk)
    assert (stored.first_name, stored.last_name, stored.is_staff) == ("Eva", "Luz", True)
    assert stored.email_verified_at is not None


@pytest.mark.parametrize(
    ("field", "value"), [("language", "de"), ("time_zone", "Mars/Base"), ("phone", "x"), ("role", "boss")]
)
def test_the_service_refuses_what_the_api_does(owner: User, field: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        user_update(user=owner, **{field: value})
    assert list(refused.value.message_dict) == [field]


def test_what_changes_nothing_is_not_saved(owner: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        user_update(user=owner, first_name=owner.first_name)
    assert not any("UPDATE" in query["sql"] for query in queries)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"is_staff": True, "is_superuser": True},
        {"role": "admin"},
        {"role": "student"},
        {"id": "x", "uuid": "x", "created_at": "2020-01-01T00:00:00Z"},
        {"is_active": False},
        {"password": "staple full of hay"},
        {"email_verified_at": "2020-01-01T00:00:00Z", "phone_verified_at": "2020-01-01T00:00:00Z"},
    ],
)
def test_rank_and_the_like_are_not_ones_own_to_change(
    as_user: LogIn, owner: User, more: dict[str, object]
) -> None:
    client = as_user(owner)
    before = User.objects.filter(pk=owner.pk).values().get()
    assert client.patch(ME, more).status_code == 200
    assert User.objects.filter(pk=owner.pk).values().get() == before


@pytest.mark.slow
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
        ("email", "x"),
        ("email", None),
        ("email", "\u212aim@example.com"),
        ("current_password", 1),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    as_user: LogIn, owner: User, field: str, value: object
) -> None:
    refused = as_user(owner).patch(ME, {field: value})
    assert (refused.status_code, list(refused.json())) == (400, [field])


@pytest.mark.parametrize("body", [[], "x", 1])
def test_what_is_no_object_is_refused(as_user: LogIn, owner: User, body: Any) -> None:
    assert as_user(owner).patch(ME, body).status_code == 400
    assert as_user(owner).delete(ME, body).status_code == 400


# --- The email: what one logs in with -----------------------------------------------------------------


def test_a_new_email_needs_the_password(as_user: LogIn, owner: User) -> None:
    for more in ({}, {"current_password": "wrong horse"}):
        refused = as_user(owner).patch(ME, {"email": "new@example.com", **more})
        assert (refused.status_code, list(refused.json())) == (400, ["current_password"])
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"


def test_with_it_the_email_is_changed_and_not_verified(as_user: LogIn, owner: User, log_in: Any) -> None:
    User.objects.update(email_verified_at=timezone.now())
    body = {"email": "New@Example.com", "current_password": PASSWORD}
    answer = as_user(owner).patch(ME, body)
    assert answer.status_code == 200
    assert (answer.json()["email"], answer.json()["email_verified_at"]) == ("new@example.com", None)
    owner.refresh_from_db()
    assert log_in(owner)["user"]["email"] == "new@example.com"


def test_anothers_email_is_not_to_be_had(as_user: LogIn, owner: User, stranger: User) -> None:
    refused = as_user(owner).patch(ME, {"email": stranger.email, "current_password": PASSWORD})
    assert (refused.status_code, list(refused.json())) == (409, ["detail"])
    owner.refresh_from_db()
    assert owner.email == "owner@example.com"


def test_the_email_as_it_is_needs_no_password(as_user: LogIn, owner: User) -> None:
    User.objects.update(email_verified_at=timezone.now())
    answer = as_user(owner).patch(ME, {"email": "OWNER@example.com", "last_name": "Lima"})
    assert (answer.status_code, answer.json()["last_name"]) == (200, "Lima")
    assert answer.json()["email_verified_at"] is not None


def test_guessing_the_password_so_is_limited(as_user: LogIn, owner: User, rate: Any) -> None:
    rate("password-check", "2/min")
    client = as_user(owner)
    codes = [client.patch(ME, {"current_password": f"guess {n}"}).status_code for n in range(3)]
    assert codes == [400, 400, 429]
    assert client.patch(ME, {"last_name": "Lima"}).status_code == 200


# --- Deleting ---------------------------------------------------------------------------------------------


def test_with_the_password_ones_account_is_deleted(
    token_of_owner: APIClient, owner: User, shop: Any, sent: list[Verification]
) -> None:
    ContactPointFactory(user=owner)
    refresh = RefreshToken.for_user(owner)
    answer = token_of_owner.delete(ME, {"password": PASSWORD})
    assert (answer.status_code, answer.content) == (204, b"")
    assert not User.objects.filter(email="owner@example.com").exists()
    assert token_of_owner.get(ME).status_code == 401
    body = {"refresh_token": str(refresh)}
    assert APIClient().post("/api/v1/auth/refresh/", body).status_code == 401


def test_what_is_theirs_goes_with_them(token_of_owner: APIClient, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(role="student")
    profile_ensure(user=User.objects.get(pk=owner.pk))
    token_of_owner.delete(ME, {"password": PASSWORD})
    assert not Student.objects.exists()


@pytest.mark.parametrize(
    "body", [None, {}, {"password": None}, {"password": ""}, {"password": "wrong horse"}, {"password": 1}]
)
def test_without_it_nothing_is_deleted(token_of_owner: APIClient, owner: User, body: Any) -> None:
    refused = token_of_owner.delete(ME, body)
    assert (refused.status_code, list(refused.json())) == (400, ["password"])
    assert User.objects.filter(pk=owner.pk).exists()


def test_a_session_of_just_now_needs_no_password(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    assert client.delete(ME).status_code == 204
    assert not User.objects.filter(pk=owner.pk).exists()
    assert client.get(ME).status_code == 401


def test_a_session_of_long_ago_needs_it(as_user: LogIn, owner: User) -> None:
    client = as_user(owner)
    session = client.session
    mark_begun(session, now=timezone.now() - timedelta(minutes=11))
    session.save()
    assert client.delete(ME).status_code == 400
    assert client.delete(ME, {"password": PASSWORD}).status_code == 204


def test_a_log_in_elsewhere_makes_no_session_fresh(as_user: LogIn, owner: User, log_in: Any) -> None:
    client = as_user(owner)
    session = client.session
    mark_begun(session, now=timezone.now() - timedelta(minutes=11))
    session.save()
    log_in(owner)
    assert client.delete(ME).status_code == 400


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (599, True), (600, False), (6000, False)])
def test_a_session_is_fresh_for_ten_minutes(age: int, fresh: bool) -> None:
    session, now = SessionStore(), datetime(2026, 3, 2, 9, tzinfo=UTC)
    mark_begun(session, now=now - timedelta(seconds=age))
    assert is_fresh(session, now=now) is fresh


def test_a_session_of_unknown_age_is_not_fresh() -> None:
    assert not is_fresh(SessionStore(), now=timezone.now())


def test_guessing_the_password_by_deleting_is_limited(token_of_owner: APIClient, rate: Any) -> None:
    rate("password-check", "2/min")
    codes = [token_of_owner.delete(ME, {"password": f"guess {n}"}).status_code for n in range(3)]
    assert codes == [400, 400, 429]


def test_no_other_site_deletes_an_account(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.delete(ME).status_code == 403
    assert User.objects.filter(pk=owner.pk).exists()


# --- Strangers --------------------------------------------------------------------------------------


def test_nobody_sees_or_changes_anothers(as_user: LogIn, owner: User, stranger: User) -> None:
    before = User.objects.filter(pk=owner.pk).values().get()
    client = as_user(stranger)
    aimed = {"id": str(owner.pk), "uuid": str(owner.pk), "user_id": str(owner.pk)}
    assert client.get(ME, aimed).json()["id"] == str(stranger.pk)
    assert client.patch(ME, {**aimed, "first_name": "Eva"}).json()["id"] == str(stranger.pk)
    assert client.delete(ME, {**aimed, "password": PASSWORD}).status_code == 204
    assert User.objects.filter(pk=owner.pk).values().get() == before
    assert not User.objects.filter(pk=stranger.pk).exists()


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_only_people_have_an_account(
    anonymous: APIClient, as_machine: Callable[..., APIClient], method: str
) -> None:
    assert getattr(anonymous, method)(ME).status_code == 401
    assert getattr(as_machine("alerts:read", "events:write"), method)(ME).status_code == 403


def test_who_is_gone_is_gone_from_their_shops(
    token_of_owner: APIClient, owner: User, teammate: User, shop: Any
) -> None:
    MembershipFactory(user=owner)
    token_of_owner.delete(ME, {"password": PASSWORD})
    assert list(shop.members.all()) == [teammate]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_is_made_for_somebody_meanwhile_does_not_keep_them_from_leaving(
    token_of_owner: APIClient, owner: User
) -> None:
    """A worker makes something of a new person's between the look for what is theirs and the deletion."""
    made: list[str] = []

    def make(**kwargs: Any) -> None:
        with psycopg.connect(**_parameters()) as worker:
            worker.execute("SET lock_timeout = '300ms'")
            try:
                worker.execute(INSERT, [owner.pk])
                worker.commit()
                made.append("made")
            except psycopg.errors.LockNotAvailable:
                made.append("waits")

    pre_delete.connect(make, sender=User, weak=False)
    try:
        assert token_of_owner.delete(ME, {"password": PASSWORD}).status_code == 204
    finally:
        pre_delete.disconnect(make, sender=User)
    assert made == ["waits"]
    assert not User.objects.filter(pk=owner.pk).exists()


def _parameters() -> dict[str, Any]:
    known = ("host", "port", "dbname", "user", "password")
    return {name: value for name, value in connection.get_connection_params().items() if name in known}
