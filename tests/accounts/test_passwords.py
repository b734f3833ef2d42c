"""Changing one's password."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.services.passwords import password_reset_request
from accounts.verification import token_of
from tests.accounts.conftest import PASSWORD
from tests.accounts.passwords import NEW, WEAK, refreshed, status_of_log_in

pytestmark = pytest.mark.usefixtures("unlimited")

CHANGE, ME = "/api/v1/auth/password/change/", "/api/v1/users/me/"
Bearing = Callable[[object], APIClient]
LogIn = Callable[[User], APIClient]


def change(client: APIClient, current: object = PASSWORD, new: object = NEW, path: str = CHANGE) -> Any:
    return client.post(path, {"current_password": current, "new_password": new})


# --- Changing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHANGE, CHANGE.rstrip("/")])
def test_who_knows_the_password_changes_it(owner: User, log_in: Any, bearing: Bearing, path: str) -> None:
    answer = change(bearing(log_in(owner)["access_token"]), path=path)
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token", "refresh_token", "user"]
    assert answer["Cache-Control"] == "no-store"
    assert (status_of_log_in(owner, PASSWORD), status_of_log_in(owner, NEW)) == (401, 200)


def test_every_token_of_before_is_dead_and_the_caller_goes_on(
    owner: User, log_in: Any, bearing: Bearing
) -> None:
    before = [log_in(owner) for _ in range(2)]
    answer = change(bearing(before[0]["access_token"])).json()
    for tokens in before:
        assert bearing(tokens["access_token"]).get(ME).status_code == 401
        assert refreshed(tokens["refresh_token"]) == 401
    assert bearing(answer["access_token"]).get(ME).status_code == 200
    assert refreshed(answer["refresh_token"]) == 200


def test_sessions_of_before_end_and_the_callers_goes_on(owner: User, as_user: LogIn) -> None:
    here, elsewhere = as_user(owner), as_user(owner)
    assert change(here).status_code == 200
    assert here.get(ME).status_code == 200
    assert elsewhere.get(ME).status_code == 401


def test_nobody_elses_credentials_are_harmed(
    owner: User, stranger: User, as_user: LogIn, as_machine: Any, log_in: Any, bearing: Bearing
) -> None:
    session, machine, tokens = as_user(stranger), as_machine("alerts:read"), log_in(stranger)
    change(as_user(owner))
    assert session.get(ME).status_code == 200
    assert bearing(tokens["access_token"]).get(ME).status_code == 200
    assert refreshed(tokens["refresh_token"]) == 200
    assert machine.get("/api/v1/alerts/").status_code == 200
    assert status_of_log_in(stranger, PASSWORD) == 200


def test_the_current_password_is_needed(owner: User, as_user: LogIn) -> None:
    refused = change(as_user(owner), current="wrong horse")
    assert (refused.status_code, list(refused.json())) == (400, ["current_password"])
    assert status_of_log_in(owner, PASSWORD) == 200


def test_who_has_no_password_can_not_change_it(owner: User, as_user: LogIn) -> None:
    owner.set_unusable_password()
    owner.save()
    assert change(as_user(owner), current="").status_code == 400
    assert change(as_user(owner), current="!").status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("password", [*WEAK, "", None, 1, ["x"], "x" * 257, "a\x00bcdefghijk"])
def test_a_bad_new_password_is_refused(owner: User, as_user: LogIn, password: object) -> None:
    refused = change(as_user(owner), new=password)
    assert (refused.status_code, list(refused.json())) == (400, ["new_password"])
    assert status_of_log_in(owner, PASSWORD) == 200


def test_links_of_before_are_void(owner: User, as_user: LogIn, sent: list[Verification]) -> None:
    password_reset_request(email=owner.email, now=timezone.now())
    change(as_user(owner))
    body = {"token": token_of(sent[0].pk), "new_password": "another bale of straw"}
    refused = APIClient().post("/api/v1/auth/password/reset/confirm/", body)
    assert (refused.status_code, list(refused.json())) == (400, ["token"])


def test_guessing_the_current_password_is_limited(owner: User, as_user: LogIn, rate: Any) -> None:
    rate("password-check", "3/min")
    codes = [change(as_user(owner), current=f"guess {n}").status_code for n in range(4)]
    assert codes == [400] * 3 + [429]


def test_only_people_change_passwords(anonymous: APIClient, as_machine: Any) -> None:
    assert change(anonymous).status_code == 401
    assert change(as_machine("alerts:read")).status_code == 403


def test_nobody_changes_anothers_password(owner: User, stranger: User, as_user: LogIn) -> None:
    fields = {"current_password": PASSWORD, "new_password": NEW, "email": owner.email, "user": str(owner.pk)}
    assert as_user(stranger).post(CHANGE, fields).status_code == 200
    assert status_of_log_in(owner, PASSWORD) == 200
    assert status_of_log_in(stranger, NEW) == 200
