"""Whoever is locked out stays out: what they began before works no more when they are let in again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.verification import code_of, token_of
from tests.accounts.conftest import PASSWORD

ME, REFRESH, LOGIN = "/api/v1/users/me/", "/api/v1/auth/refresh/", "/api/v1/auth/login/"


def by_api(user: User, is_active: bool, staff: APIClient) -> None:
    assert staff.patch(f"/api/v1/users/{user.pk}/", {"is_active": is_active}).status_code == 200


def by_admin(user: User, is_active: bool, staff: APIClient) -> None:
    path = f"/admin/accounts/user/{user.pk}/change/"
    shown = staff.get(path).context
    fields = {name: value or "" for name, value in shown["adminform"].form.initial.items()}
    fields |= {"is_active": "on" if is_active else "", "user_permissions": []}
    for inline in shown["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        fields |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    browser = Client()
    browser.cookies = staff.cookies
    answer = browser.post(path, fields)
    assert answer.status_code == 302, answer.context["errors"]


def by_update(user: User, is_active: bool, staff: APIClient) -> None:
    User.objects.filter(pk=user.pk).update(is_active=is_active)


def by_bulk_update(user: User, is_active: bool, staff: APIClient) -> None:
    found = User.objects.get(pk=user.pk)
    found.is_active = is_active
    User.objects.bulk_update([found], ["is_active"])


def by_sql(user: User, is_active: bool, staff: APIClient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_active = %s WHERE uuid = %s", [is_active, user.pk])


@pytest.mark.slow
@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("lock", [by_api, by_admin, by_update, by_bulk_update, by_sql])
def test_nothing_that_was_begun_before_works_again(
    stranger: User, operator: User, as_user: Any, log_in: Any, bearing: Any, lock: Callable[..., None]
) -> None:
    page, api, tokens = Client(), as_user(stranger), log_in(stranger)
    page.force_login(stranger)
    staff = as_user(operator)

    def works() -> list[bool]:
        return [
            page.get("/inbox/").status_code == 200,
            api.get(ME).status_code == 200,
            bearing(tokens["access_token"]).get(ME).status_code == 200,
        ]

    assert all(works())
    lock(stranger, False, staff)
    assert not any(works())
    assert not User.objects.get(pk=stranger.pk).is_active
    lock(stranger, True, staff)
    assert User.objects.get(pk=stranger.pk).is_active
    assert not any(works())
    refused = APIClient().post(REFRESH, {"refresh_token": tokens["refresh_token"]})
    assert refused.status_code == 401
    again = log_in(stranger)
    assert bearing(again["access_token"]).get(ME).status_code == 200
    assert as_user(User.objects.get(pk=stranger.pk)).get(ME).status_code == 200


@pytest.mark.usefixtures("unlimited")
def test_a_save_of_what_was_loaded_before_lets_nobody_back_in(
    stranger: User, log_in: Any, bearing: Any
) -> None:
    access = log_in(stranger)["access_token"]
    loaded = User.objects.get(pk=stranger.pk)
    by_sql(stranger, False, APIClient())
    by_sql(stranger, True, APIClient())
    loaded.first_name = "Eva"
    loaded.save()
    assert bearing(access).get(ME).status_code == 401
    assert User.objects.get(pk=stranger.pk).epoch == 1


def test_a_change_of_anything_else_ends_nothing(stranger: User, as_user: Any) -> None:
    client = as_user(stranger)
    assert client.patch(ME, {"first_name": "Eva"}).status_code == 200
    assert client.get(ME).status_code == 200


@pytest.mark.usefixtures("unlimited")
def test_each_time_of_being_locked_out_counts(stranger: User, log_in: Any, bearing: Any) -> None:
    for _ in range(2):
        tokens = log_in(stranger)
        by_update(stranger, False, APIClient())
        assert APIClient().post(LOGIN, {"email": stranger.email, "password": PASSWORD}).status_code == 401
        by_update(stranger, True, APIClient())
        assert bearing(tokens["access_token"]).get(ME).status_code == 401


@pytest.mark.slow
@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize("lock", [by_api, by_update, by_sql])
def test_a_mailed_link_or_code_of_before_is_void(
    stranger: User, operator: User, as_user: Any, sent: Any, lock: Callable[..., None]
) -> None:
    APIClient().post("/api/v1/auth/password/reset/", {"email": stranger.email})
    as_user(stranger).post("/api/v1/auth/email/verify/")
    link, code = (token_of(sent[0].pk), code_of(sent[1].pk))
    for is_active in (False, True):
        lock(stranger, is_active, as_user(operator))
    body = {"token": link, "new_password": "staple full of hay"}
    assert APIClient().post("/api/v1/auth/password/reset/confirm/", body).status_code == 400
    again = as_user(User.objects.get(pk=stranger.pk))
    assert again.post("/api/v1/auth/email/confirm/", {"code": code}).status_code == 400
