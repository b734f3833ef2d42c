"""Links that work without logging in: they end with the right of whose they are, and when they renew them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.verification import token_of
from dating.links import calendar_url, invitation_url, join_url, version_of
from dating.models import Event, Registration, Seat, Step
from tests.dating.cast import person
from tests.dating.test_pages import evening

NAVIGATES = {"Sec-Fetch-Mode": "navigate"}
RENEW = "/api/v1/users/me/renew-links/"


@pytest.fixture
def event(db: None) -> Event:
    return evening(Step.ROUND, [person("Ana"), person("Bo")])


@pytest.fixture
def member(event: Event) -> Registration:
    return Registration.objects.select_related("user").get(event=event, user__first_name="Ana")


def links_of(member: Registration) -> list[str]:
    """All that somebody may have been given, as they are made now."""
    fresh = Registration.objects.select_related("user").get(pk=member.pk)
    seat = Seat.objects.get(registration=member)
    urls = [
        calendar_url(fresh.user),
        invitation_url(fresh),
        join_url(seat.round_id, fresh.pk, fresh.user.links_version),
    ]
    return [urlsplit(url).path for url in urls]


def opened(paths: list[str]) -> list[int]:
    return [Client().get(path, headers=NAVIGATES).status_code for path in paths]


@pytest.mark.slow
def test_whoever_has_them_gets_in(member: Registration) -> None:
    assert opened(links_of(member)) == [200, 200, 302]


@pytest.mark.slow
def test_of_who_is_locked_out_they_lead_nowhere_and_never_again(member: Registration) -> None:
    links = links_of(member)
    User.objects.filter(pk=member.user_id).update(is_active=False)
    assert opened(links) == [404] * 3
    assert Client().post(links[2]).status_code == 404
    assert not Seat.objects.filter(joined_at__isnull=False).exists()
    User.objects.filter(pk=member.user_id).update(is_active=True)
    assert opened(links) == [404] * 3
    assert opened(links_of(member)) == [200, 200, 302]


@pytest.mark.slow
def test_of_who_is_gone_they_lead_nowhere(member: Registration) -> None:
    links = links_of(member)
    User.objects.get(pk=member.user_id).delete()
    assert opened(links) == [404] * 3


def by_api(user: User) -> None:
    client = APIClient()
    client.force_login(user)
    assert client.post(RENEW).status_code == 204


def by_page(user: User) -> None:
    client = Client()
    client.force_login(user)
    assert "Renew my links" in client.get("/account/").content.decode()
    assert client.post("/account/links/").status_code == 302


@pytest.mark.slow
@pytest.mark.parametrize("renew", [by_api, by_page])
def test_renewed_ones_work_and_those_of_before_do_not(
    event: Event, member: Registration, renew: Callable[[User], None]
) -> None:
    other = Registration.objects.select_related("user").get(event=event, user__first_name="Bo")
    others, before = links_of(other), links_of(member)
    renew(member.user)
    assert opened(before) == [404] * 3
    assert opened(links_of(member)) == [200, 200, 302]
    assert opened(others) == [200, 200, 302]
    renew(member.user)
    assert opened(before) == [404] * 3


@pytest.mark.slow
def test_whoever_takes_an_account_back_ends_the_links_of_the_one_before(member: Registration) -> None:
    before, anyone = links_of(member), APIClient()
    assert anyone.post("/api/v1/auth/password/reset/", {"email": member.user.email}).status_code == 202
    token = token_of(member.user.verifications.get(purpose="password").pk)
    body = {"token": token, "new_password": "staple full of hay"}
    assert anyone.post("/api/v1/auth/password/reset/confirm/", body).status_code == 204
    assert opened(before) == [404] * 3
    member.user.refresh_from_db()
    assert opened(links_of(member)) == [200, 200, 302]


@pytest.mark.slow
def test_nobody_can_say_that_a_link_is_of_another_version(member: Registration) -> None:
    calendar, invitation, join = links_of(member)
    by_api(member.user)
    assert opened([f"{join.rstrip('/')}-1/", f"{join.rstrip('/')}-0/"]) == [404, 404]
    for path in (calendar, invitation):
        name, signature = path.removesuffix(".ics").rsplit(":", 1)
        assert opened([f"{name}-1:{signature}.ics"]) == [404]


@pytest.mark.slow
def test_the_pages_show_the_new_ones(event: Event, member: Registration, as_user: Any) -> None:
    by_api(member.user)
    calendar, _, join = links_of(member)
    client = as_user(member.user)
    assert calendar in client.get("/dating/", headers={"accept": "text/html"}).content.decode()
    page = client.get(f"/dating/{event.pk}/", headers={"accept": "text/html"}).content.decode()
    assert join in page
    assert version_of(join.strip("/").rpartition("/")[2]) == 1


def test_renewing_is_for_people(anonymous: APIClient, as_machine: Any, db: None) -> None:
    assert anonymous.post(RENEW).status_code == 401
    assert as_machine("dating:write").post(RENEW).status_code == 403
