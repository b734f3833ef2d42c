"""SPEC 3.1: whoever registers is logged in at once, and nobody makes themselves an administrator."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import get_hashers
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.services import user_register
from accounts.signals import registration_repeated
from tests.accounts.conftest import ANA
from tests.accounts.hashers import work
from tests.factories import UserFactory

PATH, ORIGINAL = "/api/v1/auth/register/", "/auth/api/v1/register"
Bearing = Callable[[object], APIClient]


@pytest.fixture(autouse=True)
def _unlimited(rate: Any) -> None:
    """What a rate does is for its own tests."""


@pytest.fixture
def told() -> Iterator[list[User]]:
    """Whose owner was told that somebody tried to register with their address."""
    users: list[User] = []

    def note(user: User, **kwargs: Any) -> None:
        users.append(user)

    registration_repeated.connect(note)
    yield users
    registration_repeated.disconnect(note)


@pytest.fixture
def counted(settings: Any) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["tests.accounts.hashers.Counting"]
    get_hashers.cache_clear()
    work.clear()
    yield
    get_hashers.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/"), ORIGINAL, ORIGINAL + "/"])
def test_whoever_registers_is_logged_in_at_once(
    db: None, anonymous: APIClient, bearing: Bearing, path: str
) -> None:
    answer = anonymous.post(path, ANA)
    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == ["access_token", "refresh_token", "user"]
    known = {"email": "ana@example.com", "first_name": "Ana", "last_name": "Lima", "role": "student"}
    assert body["user"].items() >= known.items()
    assert bearing(body["access_token"]).get("/api/v1/users/me/").json() == body["user"]
    refreshed = anonymous.post("/api/v1/auth/refresh/", {"refresh_token": body["refresh_token"]})
    assert refreshed.status_code == 200
    assert User.objects.get(email="ana@example.com").pk.hex == body["user"]["id"].replace("-", "")


def test_the_curl_line_of_the_original_works_as_written(db: None, anonymous: APIClient) -> None:
    """The body and the header of reference/medtrack-events.md, byte by byte."""
    body = b"""{
    "email": "test.user@example.com",
    "password": "SecurePass123!",
    "first_name": "Test",
    "last_name": "User",
    "role": "student"
  }"""
    answer = anonymous.generic("POST", "/auth/api/v1/register", body, content_type="application/json")
    assert answer.status_code == 201
    assert set(answer.json()) == {"access_token", "refresh_token", "user"}
    assert set(answer.json()["user"]) >= {"id", "email", "first_name", "last_name", "role"}


def test_tokens_are_kept_by_nobody_on_the_way(db: None, anonymous: APIClient) -> None:
    assert anonymous.post(PATH, ANA)["Cache-Control"] == "no-store"


def test_the_optional_details_are_taken(db: None, anonymous: APIClient) -> None:
    more = {"language": "fr", "time_zone": "Europe/Paris", "phone": "+33 6 12 34 56 78"}
    assert anonymous.post(PATH, {**ANA, **more}).status_code == 201
    user = User.objects.get(email="ana@example.com")
    assert (user.language, user.time_zone, user.phone) == ("fr", "Europe/Paris", "+33612345678")


def test_an_email_is_kept_in_lower_case(db: None, anonymous: APIClient) -> None:
    assert anonymous.post(PATH, {**ANA, "email": " Ana@Example.COM "}).json()["user"]["email"] == ANA["email"]


def test_a_password_is_taken_as_typed(db: None, anonymous: APIClient) -> None:
    password = "  correct horse battery  "
    anonymous.post(PATH, {**ANA, "password": password})
    user = User.objects.get(email="ana@example.com")
    assert user.check_password(password)
    assert not user.check_password(password.strip())
    logged_in = anonymous.post("/api/v1/auth/login/", {"email": ANA["email"], "password": password})
    assert logged_in.status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ana"),
        ("email", "ana@"),
        ("email", ""),
        ("email", None),
        ("email", 1),
        ("email", ["ana@example.com"]),
        ("email", "x" * 250 + "@example.com"),
        ("email", "ana@example.com\x00"),
        # The Kelvin sign: in lower case an ordinary k.
        ("email", "\u212aim@example.com"),
        ("email", "ana@exämple.com"),
        ("password", ""),
        ("password", None),
        ("password", 12345678901),
        ("password", "x\x00correct horse"),
        ("password", "x" * 257),
        ("first_name", ""),
        ("first_name", "x" * 151),
        ("first_name", 1),
        ("last_name", {}),
        ("last_name", "a\x00"),
        ("role", ""),
        ("role", "boss"),
        ("role", "ADMIN"),
        ("role", "Student"),
        ("role", "admin "),
        ("role", None),
        ("role", ["student"]),
        ("role", ["student", "admin"]),
        ("role", {"student": "admin"}),
        ("role", 0),
        ("role", True),
        ("language", "de"),
        ("time_zone", "Mars/Base"),
        ("phone", "0612345678"),
    ],
)
def test_a_bad_value_is_refused_with_a_message_for_its_field(
    db: None, anonymous: APIClient, field: str, value: object
) -> None:
    refused = anonymous.post(PATH, {**ANA, field: value})
    assert (refused.status_code, list(refused.json())) == (400, [field])
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ANA)
def test_what_is_missing_is_named(db: None, anonymous: APIClient, field: str) -> None:
    refused = anonymous.post(PATH, {name: value for name, value in ANA.items() if name != field})
    assert (refused.status_code, list(refused.json())) == (400, [field])


@pytest.mark.parametrize(
    "password",
    ["short", "12345678901", "password123", "ana@example.com", "Ana Lima Ana"],
)
def test_a_weak_password_is_refused_with_the_reasons(db: None, anonymous: APIClient, password: str) -> None:
    refused = anonymous.post(PATH, {**ANA, "last_name": "Lima Ana", "password": password})
    assert (refused.status_code, list(refused.json())) == (400, ["password"])
    assert all(isinstance(reason, str) for reason in refused.json()["password"])
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["\u212aim@example.com", "ana@exämple.com", "ana", ""])
def test_the_service_takes_no_odd_address_either(db: None, email: str) -> None:
    with pytest.raises(ValidationError) as refused:
        user_register(**{**ANA, "email": email})
    assert list(refused.value.message_dict) == ["email"]


# --- The same address again --------------------------------------------------------------------


def test_the_same_again_answers_200_with_fresh_tokens(
    db: None, anonymous: APIClient, told: list[User]
) -> None:
    first = anonymous.post(PATH, ANA)
    again = anonymous.post(PATH, {**ANA, "email": "ANA@example.com"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["user"] == again.json()["user"]
    assert first.json()["refresh_token"] != again.json()["refresh_token"]
    assert User.objects.count() == 1
    assert told == []


@pytest.mark.parametrize(
    "other",
    [{"password": "staple full of hay"}, {"first_name": "Eva"}, {"last_name": "Luz"}, {"role": "encadrant"}],
)
def test_other_details_answer_409_and_the_owner_is_told(
    db: None, anonymous: APIClient, told: list[User], other: dict[str, str]
) -> None:
    anonymous.post(PATH, ANA)
    refused = anonymous.post(PATH, {**ANA, **other})
    assert (refused.status_code, list(refused.json())) == (409, ["detail"])
    assert [user.email for user in told] == [ANA["email"]]
    user = User.objects.get()
    assert (user.first_name, user.last_name, user.role) == ("Ana", "Lima", "student")
    assert user.check_password(ANA["password"])


def test_all_409_are_the_same(db: None, anonymous: APIClient) -> None:
    anonymous.post(PATH, ANA)
    wrong_password = anonymous.post(PATH, {**ANA, "password": "staple full of hay"})
    other_name = anonymous.post(PATH, {**ANA, "first_name": "Eva"})
    assert wrong_password.content == other_name.content


def test_somebody_locked_out_does_not_get_in_by_registering(db: None, anonymous: APIClient) -> None:
    anonymous.post(PATH, ANA)
    User.objects.update(is_active=False)
    assert anonymous.post(PATH, ANA).status_code == 409
    assert OutstandingToken.objects.count() == 1


@pytest.mark.slow
@pytest.mark.usefixtures("counted")
def test_each_registration_hashes_once(db: None, anonymous: APIClient) -> None:
    """New, the same again, with another password, with another name: the time tells nothing apart."""
    spent = []
    for other in ({}, {}, {"password": "staple full of hay"}, {"first_name": "Eva"}):
        work.clear()
        anonymous.post(PATH, {**ANA, **other})
        spent.append(work["hashes"])
    assert spent == [1, 1, 1, 1]


@pytest.mark.usefixtures("counted")
def test_an_account_without_a_password_hashes_once_too(db: None, anonymous: APIClient) -> None:
    User.objects.create_user(ANA["email"])
    work.clear()
    assert anonymous.post(PATH, ANA).status_code == 409
    assert work["hashes"] == 1


def test_the_same_twice_at_once_makes_one_account(transactional_db: None) -> None:
    def register(_: int) -> int:
        try:
            return APIClient().post(PATH, ANA).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(register, range(6)))
    assert codes == [200, 200, 200, 200, 200, 201]
    assert User.objects.count() == 1


def test_a_registration_that_fails_half_way_leaves_nothing(
    db: None, anonymous: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(OutstandingToken.objects, "create", fail)
    with pytest.raises(RuntimeError):
        anonymous.post(PATH, ANA)
    assert not User.objects.exists()


def test_registering_costs_a_handful_of_queries(db: None, anonymous: APIClient) -> None:
    anonymous.post(PATH, {**ANA, "email": "warm@example.com"})
    with CaptureQueriesContext(connection) as queries:
        anonymous.post(PATH, ANA)
    own = [
        query["sql"] for query in queries if "accounts_" in query["sql"] or "token_blacklist" in query["sql"]
    ]
    assert [sql.split(" ")[0] for sql in own] == ["SELECT", "INSERT", "INSERT"]


# --- How often -----------------------------------------------------------------------------------


def test_registrations_of_an_address_are_limited(db: None, anonymous: APIClient, rate: Any) -> None:
    rate("register", "2/min")
    codes = [anonymous.post(PATH, {**ANA, "email": f"u{n}@example.com"}).status_code for n in range(3)]
    assert codes == [201, 201, 429]
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.1").post(PATH, ANA)
    assert elsewhere.status_code == 201


def test_a_token_does_not_buy_more_registrations(
    owner: User, bearing: Bearing, anonymous: APIClient, rate: Any
) -> None:
    rate("register", "1/min")
    anonymous.post(PATH, ANA)
    assert (
        bearing(AccessToken.for_user(owner)).post(PATH, {**ANA, "email": "eva@example.com"}).status_code
        == 429
    )


def test_registrations_of_an_email_are_limited(db: None, rate: Any) -> None:
    rate("register-account", "2/min")
    answers = [
        APIClient(REMOTE_ADDR=f"192.0.2.{n}").post(PATH, {**ANA, "email": email})
        for n, email in enumerate(
            ["ana@example.com", "ANA@example.com", " ana@example.com", "eva@example.com"]
        )
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 429, 201]
    assert int(answers[2]["Retry-After"]) > 0


def test_guessing_a_password_by_registering_is_limited(db: None, rate: Any) -> None:
    """With the rate as it is by default."""
    rate("register-account", "5/hour")
    UserFactory(email=ANA["email"])
    codes = [
        APIClient(REMOTE_ADDR=f"192.0.2.{n}").post(PATH, {**ANA, "password": f"guess number {n}"}).status_code
        for n in range(8)
    ]
    assert codes == [409] * 5 + [429] * 3
