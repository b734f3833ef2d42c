"""Shops over the API: who sees which, and who says how their alerts are told."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Shop, User
from tests.factories import ShopFactory

PATH = "/api/v1/shops/"
LogIn = Callable[[User], APIClient]


def test_people_see_the_shops_where_they_work_and_staff_all(
    as_user: LogIn, owner: User, stranger: User, operator: User, shop: Shop
) -> None:
    other = ShopFactory()

    def seen(user: User) -> list[str]:
        return [each["slug"] for each in as_user(user).get(PATH).json()["results"]]

    assert (seen(owner), seen(stranger), seen(operator)) == ([shop.slug], [], [other.slug, shop.slug])
    assert as_user(owner).get(f"{PATH}{shop.pk}/").json() == {
        "id": str(shop.pk),
        "slug": shop.slug,
        "name": shop.name,
        "group_alerts_s": 0,
        "repeat_alerts_s": 0,
    }
    assert as_user(stranger).get(f"{PATH}{shop.pk}/").status_code == 404


def test_a_machine_that_reads_alerts_sees_shops(as_machine: Callable[..., APIClient], shop: Shop) -> None:
    assert as_machine("alerts:read").get(f"{PATH}{shop.pk}/").json()["slug"] == shop.slug
    assert as_machine("alerts:write").get(PATH).status_code == 403


def test_staff_say_how_alerts_are_told_and_nobody_else(
    as_user: LogIn, owner: User, operator: User, shop: Shop
) -> None:
    assert as_user(owner).patch(f"{PATH}{shop.pk}/", {"group_alerts_s": 60}).status_code == 403
    answer = as_user(operator).patch(f"{PATH}{shop.pk}/", {"group_alerts_s": 60, "name": "Other"})
    assert answer.status_code == 200
    assert (answer.json()["group_alerts_s"], answer.json()["name"]) == (60, shop.name)
    again = as_user(operator).patch(f"{PATH}{shop.pk}/", {"repeat_alerts_s": 3600}).json()
    assert (again["group_alerts_s"], again["repeat_alerts_s"]) == (60, 3600)
    assert as_user(operator).patch(f"{PATH}{shop.pk}/", {}).json() == again


@pytest.mark.slow
@pytest.mark.parametrize("value", [-1, 604_801, 1.5, "60", None, True])
def test_what_is_no_number_of_seconds_up_to_a_week_is_refused(
    as_user: LogIn, operator: User, shop: Shop, value: Any
) -> None:
    for field in ("group_alerts_s", "repeat_alerts_s"):
        answer = as_user(operator).patch(f"{PATH}{shop.pk}/", {field: value})
        assert answer.status_code == 400
        assert answer.json().keys() == {field}
    shop.refresh_from_db()
    assert (shop.group_alerts_s, shop.repeat_alerts_s) == (0, 0)
