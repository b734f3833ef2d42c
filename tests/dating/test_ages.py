"""How old people have to be, by the API, in the admin and when the groups are made."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from dating.models import DatingProfile
from tests.dating.cast import EIGHT, HOUR, Evening, event, person, told

pytestmark = pytest.mark.django_db
PROFILE = "/api/v1/dating/profile/"
IMPOSSIBLE = ("2099-01-01", "2020-01-01", "1899-12-31", "0001-01-01")


def years_ago(years: int, *, days: int = 0) -> date:
    """The birthday of somebody who is so old for so many days (a negative number: will be)."""
    today = clock.now().date() - timedelta(days=days)
    return today.replace(year=today.year - years, day=min(today.day, 28))


@pytest.mark.parametrize("day", IMPOSSIBLE)
def test_nobody_is_taken_who_is_too_young_or_was_never_born(
    as_user: Callable[[User], APIClient], owner: User, day: str
) -> None:
    answer = as_user(owner).patch(PROFILE, {"birthday": day})
    assert (answer.status_code, list(answer.json())) == (400, ["birthday"])
    assert not DatingProfile.objects.exists()


def test_the_least_age_is_a_setting(
    as_user: Callable[[User], APIClient], owner: User, settings: Settings
) -> None:
    client = as_user(owner)
    young, old = str(years_ago(18, days=-40)), str(years_ago(18, days=40))
    refused = client.patch(PROFILE, {"birthday": young})
    assert (refused.status_code, "at least 18 years old" in str(refused.json())) == (400, True)
    assert client.patch(PROFILE, {"birthday": old}).status_code == 200
    settings.DATING_LEAST_AGE = 16
    assert client.patch(PROFILE, {"birthday": young}).status_code == 200
    settings.DATING_LEAST_AGE = 21
    assert client.patch(PROFILE, {"birthday": old}).status_code == 400


@pytest.mark.slow
@pytest.mark.parametrize("day", IMPOSSIBLE)
def test_the_admin_takes_no_other_days(operator: User, owner: User, day: str) -> None:
    client = Client()
    client.force_login(operator)
    form: dict[str, Any] = {"user": owner.pk, "birthday": day, "city": "", "seeks": "men", "manual_score": 2}
    page = client.post(reverse("admin:dating_datingprofile_add"), form).content.decode()
    assert "errorlist" in page
    assert not DatingProfile.objects.exists()
    client.post(reverse("admin:dating_datingprofile_add"), form | {"birthday": "1999-05-01"})
    assert DatingProfile.objects.get().birthday == date(1999, 5, 1)


@pytest.mark.slow
def test_whoever_is_in_the_database_and_too_young_meets_nobody_and_is_told_why() -> None:
    ana, bob, kid = person("Ana"), person("Bob"), person("Kid", birthday=date(2099, 1, 1))
    evening = Evening(event()).registered(ana, bob, kid).confirmed()
    evening.at(EIGHT - HOUR)
    assert evening.member(kid).left_out == "too_young"
    assert told(kid)[-1] == "left_out"
    assert told(ana)[-1] == told(bob)[-1] == "taking_part"
    client = Client()
    client.force_login(kid)
    assert "too young" in client.get(f"/dating/{evening.event.pk}/").content.decode()
