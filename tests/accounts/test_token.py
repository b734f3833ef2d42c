"""Going on with tokens, and ending them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from rest_framework.test import APIClient
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken
from structlog.testing import capture_logs

from accounts.models import User
from accounts.services.users import user_update
from tests.accounts.conftest import PASSWORD

TOKEN, TOKEN_REFRESH = "/api/v1/auth/token/", "/api/v1/auth/token/refresh/"
REFRESH, LOGOUT, ME = "/api/v1/auth/refresh/", "/api/v1/auth/logout/", "/api/v1/users/me/"
Bearing = Callable[[object], APIClient]

LEEWAY = api_settings.LEEWAY

#: Each way of refreshing: its path, and what it calls the two tokens.
WAYS = [(REFRESH, "refresh_token", "access_token"), (TOKEN_REFRESH, "refresh", "access")]


def refreshed(token: object, path: str = REFRESH, name: str = "refresh_token") -> Any:
    return APIClient().post(path, {name: str(token)})


@pytest.mark.parametrize("path", [TOKEN, TOKEN.rstrip("/")])
def test_a_person_logs_in_and_is_known(
    owner: User, anonymous: APIClient, bearing: Bearing, path: str
) -> None:
    tokens = anonymous.post(path, {"email": "Owner@Example.com", "password": PASSWORD})
    assert tokens.status_code == 200
    assert sorted(tokens.json()) == ["access", "refresh"]
    assert bearing(tokens.json()["access"]).get(ME).json()["email"] == owner.email


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


def test_an_access_token_expires(owner: User, bearing: Bearing) -> None:
    token = AccessToken.for_user(owner)
    token.set_exp(lifetime=-LEEWAY - timedelta(seconds=1))
    assert bearing(token).get(ME).status_code == 401


@pytest.mark.parametrize("ahead_s", [5, -5])
def test_a_machine_takes_the_tokens_of_another_whose_clock_differs(
    owner: User, bearing: Bearing, ahead_s: int
) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead_s)):
        refresh = RefreshToken.for_user(owner)
        access = refresh.access_token
    assert bearing(access).get(ME).status_code == 200
    assert refreshed(refresh).status_code == 200


def test_a_refresh_token_opens_nothing(owner: User, bearing: Bearing) -> None:
    assert bearing(RefreshToken.for_user(owner)).get(ME).status_code == 401


# --- Refreshing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "refresh", "access"), WAYS)
def test_a_refresh_token_is_exchanged_once(
    owner: User, log_in: Any, bearing: Bearing, path: str, refresh: str, access: str
) -> None:
    old = log_in(owner)["refresh_token"]
    answer = refreshed(old, path, refresh)
    assert answer.status_code == 200
    assert sorted(answer.json()) == sorted([access, refresh])
    assert answer["Cache-Control"] == "no-store"
    assert bearing(answer.json()[access]).get(ME).status_code == 200
    assert refreshed(answer.json()[refresh], path, refresh).status_code == 200
    assert refreshed(old, path, refresh).status_code == 401


@pytest.mark.parametrize(("path", "refresh", "access"), WAYS)
def test_one_that_is_used_again_ends_its_log_in(
    owner: User, log_in: Any, bearing: Bearing, path: str, refresh: str, access: str
) -> None:
    """Two have it, and one of them is a thief: whichever comes second, neither goes on."""
    stolen, others = (log_in(owner)["refresh_token"] for _ in range(2))
    first = refreshed(stolen, path, refresh).json()
    second = refreshed(first[refresh], path, refresh).json()
    with capture_logs() as logs:
        assert refreshed(stolen, path, refresh).status_code == 401
    assert [(line["event"], line["user"]) for line in logs] == [("refresh_token_used_again", str(owner.pk))]
    assert refreshed(second[refresh], path, refresh).status_code == 401
    assert [bearing(each[access]).get(ME).status_code for each in (first, second)] == [401, 401]
    assert refreshed(others).status_code == 200


def test_one_that_an_earlier_version_issued_ends_what_followed_from_it(owner: User) -> None:
    old = RefreshToken.for_user(owner)
    newer = refreshed(old).json()["refresh_token"]
    assert refreshed(old).status_code == 401
    assert refreshed(newer).status_code == 401


@pytest.mark.parametrize(("path", "refresh", "access"), WAYS)
@pytest.mark.parametrize("value", ["", "x", "a.b.c", "\x00", None, 1, ["x"], "é.é.é", "x" * 5000])
def test_a_bad_refresh_token_is_refused(
    db: None, anonymous: APIClient, path: str, refresh: str, access: str, value: object
) -> None:
    assert anonymous.post(path, {refresh: value}).status_code in (400, 401)


def test_what_is_refused_says_so_with_a_challenge(db: None, anonymous: APIClient) -> None:
    refused = anonymous.post(REFRESH, {"refresh_token": "a.b.c"})
    assert refused.status_code == 401
    assert isinstance(refused.json()["detail"], str)
    assert refused["WWW-Authenticate"].startswith("Bearer")


def test_an_access_token_is_no_refresh_token(owner: User) -> None:
    assert refreshed(AccessToken.for_user(owner)).status_code == 401


def test_a_refresh_token_expires(owner: User) -> None:
    token = RefreshToken.for_user(owner)
    token.set_exp(lifetime=-LEEWAY - timedelta(seconds=1))
    assert refreshed(token).status_code == 401


def test_a_token_signed_by_others_is_refused(owner: User) -> None:
    head, payload, signature = str(RefreshToken.for_user(owner)).split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert refreshed(f"{head}.{payload}.{flipped}").status_code == 401


def test_a_refresh_token_whose_row_is_gone_works_once_too(owner: User) -> None:
    """Its signature says that it is ours; the row only says whether it is dead."""
    token = RefreshToken.for_user(owner)
    OutstandingToken.objects.all().delete()
    assert refreshed(token).status_code == 200
    assert refreshed(token).status_code == 401


def test_of_two_exchanges_at_once_one_succeeds(transactional_db: None) -> None:
    user = User.objects.create_user("ana@example.com", PASSWORD)
    token = RefreshToken.for_user(user)

    def exchange(_: int) -> int:
        try:
            return int(refreshed(token).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(exchange, range(6)))
    assert codes == [200, 401, 401, 401, 401, 401]


def test_the_database_holds_no_token(owner: User, log_in: Any) -> None:
    tokens = log_in(owner)
    newer = refreshed(tokens["refresh_token"]).json()
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM token_blacklist_outstandingtoken AS t")
        rows = cursor.fetchone()[0]
    for token in (*tokens.values(), *newer.values()):
        assert str(token) not in rows


# --- Logging out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LOGOUT, LOGOUT.rstrip("/")])
def test_after_logging_out_the_refresh_token_is_dead_at_once(owner: User, log_in: Any, path: str) -> None:
    token = log_in(owner)["refresh_token"]
    answer = APIClient().post(path, {"refresh_token": token})
    assert (answer.status_code, answer.content) == (204, b"")
    assert refreshed(token).status_code == 401
    assert refreshed(token, TOKEN_REFRESH, "refresh").status_code == 401


def test_after_logging_out_no_token_of_the_log_in_is_good(owner: User, log_in: Any, bearing: Bearing) -> None:
    first = log_in(owner)
    newer = refreshed(first["refresh_token"]).json()
    APIClient().post(LOGOUT, {"refresh_token": newer["refresh_token"]})
    assert [bearing(each["access_token"]).get(ME).status_code for each in (first, newer)] == [401, 401]
    assert refreshed(newer["refresh_token"]).status_code == 401


def test_logging_out_with_a_token_of_before_ends_the_newer_too(owner: User, log_in: Any) -> None:
    first = log_in(owner)["refresh_token"]
    newer = refreshed(first).json()["refresh_token"]
    assert APIClient().post(LOGOUT, {"refresh_token": first}).status_code == 204
    assert refreshed(newer).status_code == 401


def test_logging_out_twice_is_fine(owner: User, log_in: Any) -> None:
    token = log_in(owner)["refresh_token"]
    codes = [APIClient().post(LOGOUT, {"refresh_token": token}).status_code for _ in range(2)]
    assert codes == [204, 204]


def test_logging_out_with_an_expired_token_is_fine(owner: User) -> None:
    token = RefreshToken.for_user(owner)
    token.set_exp(lifetime=-LEEWAY - timedelta(seconds=1))
    assert APIClient().post(LOGOUT, {"refresh_token": str(token)}).status_code == 204


def test_logging_out_ends_no_other_log_in(owner: User, stranger: User, log_in: Any) -> None:
    ended, kept, others = (log_in(user)["refresh_token"] for user in (owner, owner, stranger))
    APIClient().post(LOGOUT, {"refresh_token": ended})
    assert refreshed(kept).status_code == 200
    assert refreshed(others).status_code == 200


def test_an_expired_access_token_is_no_bar_to_logging_out(owner: User, log_in: Any, bearing: Bearing) -> None:
    access = AccessToken.for_user(owner)
    access.set_exp(lifetime=-LEEWAY - timedelta(seconds=1))
    token = log_in(owner)["refresh_token"]
    assert bearing(access).post(LOGOUT, {"refresh_token": token}).status_code == 204


def test_logging_out_ends_the_session_too(owner: User) -> None:
    client = APIClient()
    client.force_login(owner)
    assert client.get(ME).status_code == 200
    assert client.post(LOGOUT).status_code == 204
    assert client.get(ME).status_code == 401


def test_logging_out_ends_session_and_token_together(owner: User, log_in: Any) -> None:
    token = log_in(owner)["refresh_token"]
    client = APIClient()
    client.force_login(owner)
    assert client.post(LOGOUT, {"refresh_token": token}).status_code == 204
    assert client.get(ME).status_code == 401
    assert refreshed(token).status_code == 401


def test_no_other_site_can_end_a_session(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    assert client.post(LOGOUT).status_code == 403
    assert client.get(ME).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"refresh_token": "a.b.c"}, {"refresh_token": None}, {"refresh_token": 1}]
)
def test_who_has_nothing_to_end_is_told_so(db: None, anonymous: APIClient, body: Any) -> None:
    refused = anonymous.post(LOGOUT, body)
    assert (refused.status_code, list(refused.json())) == (400, ["refresh_token"])


def test_an_access_token_does_not_log_out(owner: User, log_in: Any) -> None:
    tokens = log_in(owner)
    assert APIClient().post(LOGOUT, {"refresh_token": tokens["access_token"]}).status_code == 400
    assert refreshed(tokens["refresh_token"]).status_code == 200


def test_the_names_of_simplejwt_log_out_too(owner: User, log_in: Any) -> None:
    tokens = log_in(owner)
    assert APIClient().post(LOGOUT, {"refresh": tokens["refresh_token"]}).status_code == 204
    assert refreshed(tokens["refresh_token"]).status_code == 401


# --- Whose token it is ------------------------------------------------------------------------------------


def test_who_is_not_active_can_not_log_in_or_go_on(
    owner: User, anonymous: APIClient, bearing: Bearing
) -> None:
    access, refresh = AccessToken.for_user(owner), RefreshToken.for_user(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert anonymous.post(TOKEN, {"email": owner.email, "password": PASSWORD}).status_code == 401
    assert bearing(access).get(ME).status_code == 401
    assert refreshed(refresh).status_code == 401


def test_who_was_locked_out_does_not_go_on_with_old_tokens_when_let_in_again(
    owner: User, log_in: Any, bearing: Bearing
) -> None:
    tokens = [log_in(owner) for _ in range(3)]
    user_update(user=owner, is_active=False)
    user_update(user=owner, is_active=True)
    assert [refreshed(each["refresh_token"]).status_code for each in tokens] == [401] * 3
    assert [bearing(each["access_token"]).get(ME).status_code for each in tokens] == [401] * 3
    assert refreshed(log_in(owner)["refresh_token"]).status_code == 200


def test_who_is_gone_can_not_go_on(owner: User, bearing: Bearing) -> None:
    access, refresh = AccessToken.for_user(owner), RefreshToken.for_user(owner)
    owner.delete()
    assert bearing(access).get(ME).status_code == 401
    assert refreshed(refresh).status_code == 401


def test_a_machine_is_nobody(as_machine: Callable[..., APIClient]) -> None:
    assert as_machine("alerts:read").get(ME).status_code == 403
