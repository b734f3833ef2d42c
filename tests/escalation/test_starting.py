"""Starting an escalation by hand: it is shown first, and one press or two start one process."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from escalation.models import EscalationProcess
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.selectors import deliveries_of
from escalation.services.policies import policy_create, policy_update

PATH = "/escalations/start/"
PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}
FORM = {"policy": "Orders", "title": "Oven", "details": "It smells.", "severity": ""}


@pytest.fixture(autouse=True)
def policy(db: None) -> Any:
    steps = steps_of([{"after_s": 0, "targets": [PHONE]}])
    return policy_create(name="Orders", definition=Definition(steps))[0]


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


def shown(page: Client, **fields: str) -> dict[str, str]:
    """Have the dry run shown; returns what its button would send."""
    answer = page.post(PATH, {**FORM, **fields, "look": "yes"})
    assert answer.status_code == 200
    token = re.search(r'name="shown" value="([^"]+)"', answer.content.decode())
    assert token
    return {**FORM, **fields, "shown": token[1], "start": "yes"}


def test_a_dry_run_says_who_would_be_told_and_starts_nothing(page: Client) -> None:
    answer = page.post(PATH, {**FORM, "look": "yes"}).content.decode()
    assert "+33612345678" in answer
    assert "Start it now" in answer
    assert not EscalationProcess.objects.exists()


@pytest.mark.slow
def test_what_was_shown_is_started_once_however_often_it_is_pressed(page: Client, operator: User) -> None:
    button = shown(page)
    first, again = page.post(PATH, button), page.post(PATH, button)
    process = EscalationProcess.objects.get()
    assert first["Location"] == again["Location"] == f"/escalations/{process.pk}/"
    assert (process.process_id, process.details, process.started_by_person) == (
        "Oven",
        "It smells.",
        operator,
    )
    assert [each.address for each in deliveries_of(process)] == ["+33612345678"]
    page.post(f"/escalations/{process.pk}/stop/")
    # A page that was left open doesn't ring again for what has been stopped.
    assert page.post(PATH, button)["Location"] == first["Location"]
    assert EscalationProcess.objects.count() == 1


@pytest.mark.slow
def test_only_what_was_shown_can_be_started(page: Client, policy: Any, operator: User) -> None:
    assert page.post(PATH, {**FORM, "start": "yes"}).status_code == 409
    button = shown(page)
    assert page.post(PATH, {**button, "title": "Fridge"}).status_code == 409
    assert page.post(PATH, {**button, "severity": "standard"}).status_code == 409
    policy_update(policy=policy, changes={"steps": steps_of([{"after_s": 5, "targets": [PHONE]}])})
    changed = page.post(PATH, button)
    assert changed.status_code == 409
    assert "Something has changed" in changed.content.decode()
    colleague = User.objects.create_user("second@example.com", is_staff=True)
    other = Client(headers={"accept": "text/html"})
    other.force_login(colleague)
    assert other.post(PATH, shown(page)).status_code == 409
    assert not EscalationProcess.objects.exists()


def test_what_was_shown_long_ago_is_shown_anew(page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    button = shown(page)
    monkeypatch.setattr("escalation.web.starting.SHOWN_FOR", timedelta(seconds=-1))
    late = page.post(PATH, button)
    assert late.status_code == 409
    assert "Some time has passed" in late.content.decode()


def test_the_record_says_who_started_it(page: Client, operator: User) -> None:
    location = page.post(PATH, shown(page))["Location"]
    shown_page = page.get(location).content.decode()
    assert f", by hand ({operator})" in shown_page
    assert "It smells." in shown_page


@pytest.mark.slow
def test_one_that_is_under_way_is_shown_and_not_started_again(page: Client) -> None:
    first = page.post(PATH, shown(page))["Location"]
    again = page.post(PATH, shown(page, details="Again."), follow=True)
    assert again.redirect_chain == [(first, 302)]
    assert "was under way already" in again.content.decode()
    assert EscalationProcess.objects.count() == 1


def test_who_is_not_staff_cannot(owner: User) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(owner)
    assert client.get(PATH).status_code == 403
    assert client.post(PATH, {**FORM, "start": "yes"}).status_code == 403
    assert "Start an escalation" not in client.get("/escalations/").content.decode()


def test_a_policy_that_tells_nobody_has_no_button(page: Client) -> None:
    steps = steps_of([{"after_s": 0, "targets": [PHONE], "only": {"severity": "critical"}}])
    policy_create(name="Loud", definition=Definition(steps))
    answer = page.post(
        PATH, {**FORM, "policy": "Loud", "severity": "standard", "look": "yes"}
    ).content.decode()
    assert "It would tell nobody now" in answer
    assert "Start it now" not in answer
