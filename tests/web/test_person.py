"""A person's page: what the staff find of them, and how they would be told."""

import re
from datetime import UTC, datetime, time

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from notifications.models import Preference
from tests.factories import ContactPointFactory, UserFactory


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def path_of(user: User) -> str:
    return f"/console/people/{user.pk}/"


def shown(page: Client, user: User, **fields: str) -> str:
    answer = page.get(path_of(user), fields or None)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_it_shows_the_state_of_each_contact_point(page: Client) -> None:
    ana = UserFactory(first_name="Ana", last_name="Moreau")
    ContactPointFactory(user=ana, label="works", confirmed_at=clock.now())
    ContactPointFactory(user=ana, label="off", confirmed_at=clock.now(), is_enabled=False)
    ContactPointFactory(user=ana, label="dead", confirmed_at=clock.now(), gone_at=clock.now())
    ContactPointFactory(user=UserFactory(), label="another")
    html = shown(page, ana)
    states = dict(re.findall(r"<li><bdi>\w+ (\w+)</bdi>: (\w+)", html))
    assert states == {"works": "confirmed", "off": "switched", "dead": "dead"}
    assert "<bdi>Ana Moreau</bdi></h1>" in html


def test_only_staff_see_it_and_only_who_exists(page: Client) -> None:
    ana = UserFactory()
    own = Client(headers={"accept": "text/html"})
    own.force_login(ana)
    assert own.get(path_of(ana)).status_code == 403
    assert page.get("/console/people/0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11/").status_code == 404


def test_what_is_no_kind_is_refused(page: Client) -> None:
    answer = page.get(path_of(UserFactory()), {"kind": "stage.*", "severity": "standard"})
    assert answer.status_code == 422
    assert "Expected a kind, such as stage.accepted." in answer.content.decode()


def test_quiet_hours_hold_a_message_and_the_page_says_so(page: Client) -> None:
    ana = UserFactory(time_zone="UTC")
    ContactPointFactory(user=ana, label="mine", confirmed_at=datetime(2026, 1, 1, tzinfo=UTC))
    Preference.objects.create(user=ana, quiet_from=time(22), quiet_until=time(7))
    asked = {"kind": "alert", "severity": "standard"}
    assert "Held until their quiet hours end, at 2027-03-02 07:00 UTC." in shown(
        page, ana, at="2027-03-01T23:10", **asked
    )
    assert "at once." in shown(page, ana, at="2027-03-01T12:00", **asked)


@pytest.mark.parametrize(
    ("language", "heading", "nowhere"),
    [
        ("fr", "Comment cette personne serait prévenue", "Cette personne n’a aucun moyen de contact."),
        ("ru", "Как этот человек получил бы оповещение", "У этого человека нет способов связи."),
    ],
)
def test_it_speaks_the_readers_language(
    page: Client, operator: User, language: str, heading: str, nowhere: str
) -> None:
    User.objects.filter(pk=operator.pk).update(language=language)
    html = shown(page, UserFactory())
    assert heading in html
    assert nowhere in html
