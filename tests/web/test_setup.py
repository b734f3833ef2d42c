"""The set-up guide: each step is done once it is, and not before."""

import re
from typing import Any

import django_rq
import pytest
from django.test import Client
from django.utils import timezone
from redis import Redis

from accounts.models import Scope, User
from accounts.services.api_keys import api_key_create
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.services.policies import policy_create
from tests.factories import (
    AlertFactory,
    ContactPointFactory,
    MembershipFactory,
    ShopFactory,
    UserFactory,
    schedule_of,
)

PATH = "/console/setup/"


@pytest.fixture
def page(operator: User, redis: Redis) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def states(page: Client, **headers: str) -> dict[str, str]:
    shown = page.get(PATH, headers=headers).content.decode()
    rows = re.findall(
        r'panel-what">\s*(?:<a [^>]+>|<strong>)([^<]+)<.*?<span class="esc-state[^"]*">([^<]+)<',
        shown,
        re.DOTALL,
    )
    return dict(rows)


def test_each_step_is_done_once_it_is(page: Client, operator: User, settings: Any) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    settings.TWILIO_ACCOUNT_SID = settings.FCM_SERVICE_ACCOUNT = ""
    before = states(page)
    todo = [title for title, state in before.items() if state == "To do"]
    assert "The first alert" in todo
    assert before["Push"] == before["An on-call schedule"] == "Optional"
    settings.PUBLIC_URL = "https://tocsin.example.org"
    UserFactory(is_staff=True, is_superuser=True)
    operator.time_zone = "Europe/Paris"
    operator.save()
    shop = ShopFactory()
    member = MembershipFactory(shop=shop).user
    assert states(page)["A shop whose staff can be told"] == "To do"
    ContactPointFactory(user=member)
    api_key_create(name="Cameras", scopes=[Scope.ALERTS_WRITE])
    AlertFactory(shop=shop)
    steps = steps_of([{"after_s": 0, "targets": [{"type": "user", "user_id": str(member.pk)}]}])
    policy_create(name="Orders", definition=Definition(steps))
    schedule_of(member)
    after = states(page)
    changed = {title for title in before if before[title] != after[title]}
    assert changed == {
        "People reach it by HTTPS", "A second administrator", "A shop whose staff can be told",
        "A key for your services", "The first alert", "A policy for escalations", "An on-call schedule",
        "Your time zone",
    }  # fmt: skip
    assert {after[title] for title in changed} == {"Done"}


def test_workers_and_scheduler_are_both_needed(page: Client) -> None:
    title, connection = "Workers and the scheduler run", django_rq.get_connection()
    assert states(page)[title] == "To do"
    now = timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    connection.sadd("rq:workers", "rq:worker:one")
    connection.hset("rq:worker:one", "last_heartbeat", now)
    assert states(page)[title] == "To do"
    connection.hset("rq:scheduler_instance:one", "birth", now)
    assert states(page)[title] == "Done"
    connection.hset("rq:scheduler_instance:one", "death", now)
    assert states(page)[title] == "To do"


def test_the_line_that_sends_the_first_alert_names_a_shop(page: Client) -> None:
    assert b'"location": "SHOP"' in page.get(PATH).content
    ShopFactory(slug="larochelle")
    assert b'"location": "larochelle"' in page.get(PATH).content


def test_only_the_steps_are_asked_for_again(page: Client) -> None:
    assert states(page, **{"HX-Request": "true"}) == states(page)
    assert b"curl" not in page.get(PATH, headers={"HX-Request": "true"}).content
    assert b"/api/v1/alerts/" in page.get(PATH).content
