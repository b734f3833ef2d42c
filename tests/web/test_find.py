"""Anything is found by what is known of it, and only by whoever may see it."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from dating.services import event_create
from escalation.models import AlertGroup, EscalationProcess
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.services.policies import policy_create
from escalation.services.requests import request_run
from notifications.models import Delivery
from tests.factories import AlertFactory, ContactPointFactory, ShopFactory, UserFactory, schedule_of
from tracing.models import Case, Device

PATH = "/console/find/"


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def found(page: Client, text: object) -> list[tuple[str, str]]:
    """What is found, as pairs of what it is and its title."""
    shown = page.get(PATH, {"q": str(text)}).content.decode()
    return [
        (what.split(":")[0], title)
        for title, what in re.findall(r'<a href="[^"]+">([^<]+)</a><span class="quiet small">([^<]+)<', shown)
    ]


@pytest.fixture
def ana(db: None) -> User:
    person = UserFactory(first_name="Ana", last_name="Moreau", email="ana@example.org", phone="+33612345678")
    ContactPointFactory(user=person, channel="webhook", address="https://hooks.example.org/ana")
    return person


@pytest.mark.parametrize(
    "text",
    ["moreau ana", "ANA@EXAMPLE.ORG", "+33612345678", "https://hooks.example.org/ana", "  Ana  Moreau "],
)
def test_a_person_is_found_by_name_email_phone_or_contact_point(page: Client, ana: User, text: str) -> None:
    UserFactory(first_name="Maximiliana", last_name="Roux")
    assert found(page, text) == [("Person", "Ana Moreau")]


def test_a_person_is_found_by_id_and_in_any_script(page: Client, ana: User) -> None:
    UserFactory(first_name="Ольга", last_name="Иванова")
    assert found(page, ana.pk) == [("Person", "Ana Moreau")]
    assert found(page, "ольга") == [("Person", "Ольга Иванова")]


def test_shops_policies_schedules_and_evenings_are_found_by_name(page: Client, ana: User) -> None:
    ShopFactory(name="Larochelle North", slug="larochelle-north")
    steps = steps_of([{"after_s": 0, "targets": [{"type": "user", "user_id": str(ana.pk)}]}])
    policy_create(name="North nights", definition=Definition(steps))
    schedule_of(ana, name="North rota")
    event_create(title="Evening of the north", starts_at=clock.now() + timedelta(days=9), now=clock.now())
    assert found(page, "north") == [
        ("Shop", "Larochelle North"),
        ("Policy", "North nights"),
        ("Schedule", "North rota"),
        ("Evening", "Evening of the north"),
    ]


def start(name: str, ana: User) -> EscalationProcess:
    steps = steps_of([{"after_s": 0, "targets": [{"type": "user", "user_id": str(ana.pk)}]}])
    policy_create(name="Orders", definition=Definition(steps))
    process = request_run(Request(name, "start", policy="Orders"), now=clock.now()).process
    assert process is not None
    return process


def test_escalations_and_groups_are_found_by_title_and_can_be_stopped(page: Client, ana: User) -> None:
    process = start("Oven in Paris", ana)
    now = clock.now()
    AlertGroup.objects.create(
        title="Oven sensor", key="oven", severity="critical", opened_at=now, last_at=now
    )
    assert found(page, "oven") == [("Alert group", "Oven sensor"), ("Escalation", "Oven in Paris")]
    assert found(page, process.pk) == [("Escalation", "Oven in Paris")]
    assert found(page, "stop oven in") == [("Do", "Stop Oven in Paris")]
    assert f'href="/escalations/{process.pk}/stop/"' in page.get(PATH, {"q": "stop oven"}).content.decode()
    page.post(f"/escalations/{process.pk}/stop/")
    assert found(page, "stop oven in") == [("Escalation", "Oven in Paris")]


def test_what_to_do_is_found_too(page: Client) -> None:
    assert found(page, "start an escalation") == [("Do", "Start an escalation")]
    assert found(page, "who is on call") == [("Do", "Who is on call")]


def test_deliveries_alerts_and_notifications_are_found_by_id(page: Client, ana: User) -> None:
    start("oven", ana)
    delivery = Delivery.objects.filter(channel="webhook").select_related("notification").get()
    assert found(page, delivery.pk) == [("Delivery", f"Webhook → {ana}")]
    assert found(page, delivery.notification_id) == [("Notification", delivery.notification.title)]
    alert = AlertFactory()
    assert ("Alert", alert.label) in found(page, alert.pk)
    assert found(page, uuid.uuid4()) == []


def test_cases_are_found_by_their_ids_alone(page: Client) -> None:
    device = Device.objects.create(pk=4711)
    case = Case.objects.create(device=device, since=clock.now())
    for known in (case.pk, device.pk):
        assert found(page, known) == [("Case", str(case.pk))]
    assert found(page, str(case.pk)[:30]) == []


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", " ", "a", "%", "\x00", "x" * 5000, "_%", "'; --"])
def test_whatever_is_typed_is_answered(page: Client, ana: User, text: str) -> None:
    assert page.get(PATH, {"q": text}).status_code == 200
    assert found(page, text) == []


def test_while_one_types_only_what_is_found_is_sent(page: Client, ana: User) -> None:
    part = page.get(PATH, {"q": "moreau"}, headers={"HX-Request": "true"}).content.decode()
    assert "Ana Moreau" in part
    assert "<html" not in part


def test_the_questions_to_the_database_do_not_grow_with_what_is_found(
    page: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        UserFactory(first_name="Ana", last_name=f"Moreau {number}")
    with django_assert_max_num_queries(16):
        assert len(found(page, "moreau")) == 8
