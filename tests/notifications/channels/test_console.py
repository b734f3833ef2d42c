"""The server's log is no place to tell people of anything, but where things are tried out."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import ContactPointFactory

pytestmark = pytest.mark.django_db
POINTS = "/api/v1/contact-points/"


def offered(user: User) -> bool:
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    return 'value="console"' in client.get("/preferences/").content.decode()


def test_people_are_not_offered_it(as_user: Callable[[User], APIClient], owner: User) -> None:
    refused = as_user(owner).post(POINTS, {"channel": "console"})
    assert refused.status_code == 400
    assert "console" not in refused.json()["channel"][0].partition(":")[2]
    assert not offered(owner)


@pytest.mark.slow
def test_where_things_are_tried_out_they_are(
    as_user: Callable[[User], APIClient], owner: User, settings: Settings
) -> None:
    settings.CONSOLE_OFFERED = True
    assert as_user(owner).post(POINTS, {"channel": "console"}).status_code == 201
    assert offered(owner)


def test_one_that_is_there_can_still_be_switched_off(
    as_user: Callable[[User], APIClient], owner: User
) -> None:
    point = ContactPointFactory(user=owner, channel="console", address="")
    changed = as_user(owner).patch(f"{POINTS}{point.pk}/", {"is_enabled": False})
    assert (changed.status_code, changed.json()["is_enabled"]) == (200, False)
