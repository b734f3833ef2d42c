"""Who did what: one list of all that is noted of people's acts."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from accounts.models import Shop, User
from config import clock
from escalation.models import AlertGroup
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.services.policies import policy_create
from escalation.services.processes import process_acknowledge
from escalation.services.requests import request_run
from escalation.timelines.entries import note_add
from notifications.models import DeliveryAction
from notifications.web.console import done
from tests.factories import UserFactory

PATH = "/console/done/"


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def listed(page: Client, query: str = "", **fields: str) -> list[tuple[str, str]]:
    """What was done and by whom, in the order of the page."""
    answer = page.get(f"{PATH}?{query}", fields or None)
    assert answer.status_code == 200
    rows = re.findall(r'class="panel-what">(.*?)<bdi>(.*?)</bdi>', answer.content.decode(), re.DOTALL)
    return [(" ".join(re.sub(r"<[^>]+>", " ", what).split()), who) for what, who in rows]


def acted(by: str, *, ago: timedelta = timedelta(0), **fields: Any) -> DeliveryAction:
    given = {"action": "replay", "via": "web", "count": 3, "deliveries": [], **fields}
    return DeliveryAction.objects.create(by=by, at=clock.now() - ago, **given)


def escalation(name: str) -> Any:
    ana = UserFactory()
    targets = [{"type": "user", "user_id": str(ana.pk), "channels": ["inbox"]}]
    steps = steps_of([{"after_s": 600, "targets": targets}])
    policy_create(name=f"Policy {name}", definition=Definition(steps))
    process = request_run(Request(name, "start", policy=f"Policy {name}"), now=clock.now()).process
    assert process is not None
    return process


def test_what_people_did_stands_in_one_list_the_newest_first(
    page: Client, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted("Luc", ago=timedelta(hours=2), action="cancel", count=1)
    group = AlertGroup.objects.create(
        title="Disk full",
        key="disk",
        severity="critical",
        opened_at=clock.now() - timedelta(hours=3),
        last_at=clock.now() - timedelta(hours=3),
        state=AlertGroup.State.RESOLVED,
        resolved_at=clock.now() - timedelta(hours=1),
        ended_by="Zoë",
    )
    process_acknowledge(process=escalation("oven"), by="Ana", via="web", now=clock.now())
    process = escalation("fan")
    said_at = clock.now() + timedelta(seconds=1)
    note_add(about=process, text="It smokes", by=str(operator), via="web", user=operator, now=said_at)
    monkeypatch.setattr(clock, "now", lambda: said_at + timedelta(seconds=1))
    assert listed(page) == [
        ("Note: “fan”", str(operator)),
        ("Acknowledged: “oven”", "Ana"),
        ("Resolved: “Disk full”", "Zoë"),
        ("Cancelled 1 delivery", "Luc"),
    ]
    assert f'href="/groups/{group.pk}/"' in page.get(PATH).content.decode()
    assert listed(page, who="zo") == [("Resolved: “Disk full”", "Zoë")]
    assert listed(page, who="nobody") == []


def test_what_ended_by_itself_is_nobodys_act(page: Client) -> None:
    process = escalation("oven")
    process.state, process.ended_at = "finished", clock.now()
    process.save()
    assert listed(page) == []


def test_the_admins_own_record_is_for_whoever_may_see_it_there(page: Client, operator: User) -> None:
    shop = Shop.objects.create(slug="north", name="North")
    LogEntry.objects.create(
        user=operator,
        content_type=ContentType.objects.get_for_model(Shop),
        object_id=str(shop.pk),
        object_repr="North",
        action_flag=CHANGE,
        change_message='[{"changed": {"fields": ["name"]}}]',
    )
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    assert listed(page) == []
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    assert listed(page) == [("Shop “North”: Changed name.", str(operator))]


def test_older_acts_follow_without_a_gap(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(done, "PAGE_SIZE", 2)
    monkeypatch.setattr("notifications.web.views.console.PAGE_SIZE", 2)
    for number in range(5):
        acted(f"Luc {number}", ago=timedelta(minutes=number))
    seen, query = [], "who=Luc"
    while True:
        seen += [who for _, who in listed(page, query)]
        found = re.findall(r'href="\?([^"]+)">Older<', page.get(f"{PATH}?{query}").content.decode())
        if not found:
            break
        query = found[0].replace("&amp;", "&")
    assert seen == [f"Luc {number}" for number in range(5)]


@pytest.mark.parametrize("before", ["", "x", "9999-01-01T00:00:00Z", "2026-01-01", "\x00"])
def test_a_time_that_is_none_is_now(page: Client, before: str) -> None:
    acted("Luc", ago=timedelta(minutes=1))
    assert listed(page, before=before, who="\x00") == [("Replayed 3 deliveries", "Luc")]
