"""A policy by form: what is saved is what JSON would say, and nothing is lost that somebody else saved."""

import re
from datetime import time
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from escalation.models import EscalationProcess, Policy
from escalation.policies.conditions import Condition
from escalation.policies.definition import Definition, Step, Target
from escalation.policies.parsing import steps_of
from escalation.policies.selectors import definition_of, newest_version
from escalation.selectors import deliveries_of
from escalation.services.policies import policy_create, policy_update
from escalation.web.policy_forms import PolicyForm
from tests.factories import ContactPointFactory, UserFactory, schedule_of
from tests.servers.twilio import Twilio

NEW = "/escalations/policies/new/"
PHONE = {"type": "address", "channel": "phone", "address": "+33612345678"}
FORM = {
    "name": "Orders", "severity": "critical", "repeats": "0", "repeat_every": "0",
    "time_zone": "Europe/Paris", "version": "0", "count": "1", "row-0-after": "0",
    "row-0-who": "address:phone", "row-0-where": "+33 6 12 34 56 78",
}  # fmt: skip


@pytest.fixture
def page(operator: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(operator)
    return client


@pytest.fixture(autouse=True)
def phones(twilio: Twilio) -> None:
    """Phones can be told."""


def policy_of(*steps: dict[str, Any], name: str = "Orders") -> Policy:
    return policy_create(name=name, definition=Definition(steps_of(list(steps))))[0]


def said(name: str = "Orders") -> Definition:
    return definition_of(newest_version(Policy.objects.get(name=name)))


def fields_of(page: str) -> dict[str, Any]:
    """Return what a browser would send of the form, as the page shows it."""
    form = re.search(r'<form method="post" id="policy".*?</form>', page, re.DOTALL)
    assert form
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") == "checkbox":
            if " checked" in tag:
                found.setdefault(given["name"], []).append(given.get("value", "on"))
        elif "name" in given:
            found[given["name"]] = given.get("value", "")
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)"[^>]* selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def test_a_policy_of_two_steps_is_made_by_form(page: Client) -> None:
    ana = UserFactory(first_name="Ana", email="ana@example.com")
    ContactPointFactory(user=ana, channel="webhook")
    schedule = schedule_of(UserFactory(), ana)
    rows = {
        "count": "3",
        "row-1-after": "2.5", "row-1-who": "somebody", "row-1-where": "ANA@example.com",
        "row-1-channels": "webhook",
        "row-2-after": "2.5", "row-2-who": f"schedule:{schedule.pk}:next", "row-2-weekdays": ["sat", "sun"],
        "row-2-begin": "08:00", "row-2-end": "20:00", "row-2-severity": "critical",
    }  # fmt: skip
    answer = page.post(NEW, FORM | rows | {"repeat_every": "10", "repeats": "2", "save": "yes"})
    assert answer["Location"] == f"/escalations/policies/{Policy.objects.get().pk}/"
    assert said() == Definition(
        steps=(
            Step(0, (Target("address", address="+33612345678", channels=("phone",)),)),
            Step(
                150,
                (
                    Target("user", id=ana.pk, channels=("webhook",)),
                    Target(
                        "schedule",
                        id=schedule.pk,
                        whom="next",
                        only=Condition((5, 6), time(8), time(20), "critical"),
                    ),
                ),
            ),
        ),
        repeats=2,
        repeat_every_s=600,
        time_zone="Europe/Paris",
    )


@st.composite
def definitions(draw: st.DrawFn) -> list[dict[str, Any]]:
    only = st.sampled_from(
        [
            {},
            {"only": {"severity": "critical"}},
            {"only": {"weekdays": ["mon"], "begin": "22:00", "end": "06:00"}},
        ]
    )
    target = st.fixed_dictionaries({"channel": st.sampled_from(["phone", "sms"])}).map(
        lambda each: PHONE | each
    )
    steps = []
    for _ in range(draw(st.integers(1, 4))):
        of_step = draw(only)
        targets = [draw(target) | ({} if of_step else draw(only)) for _ in range(draw(st.integers(1, 3)))]
        steps.append({"after_s": draw(st.sampled_from([0, 30, 90, 600])), "targets": targets, **of_step})
    return steps


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=definitions())
def test_what_is_shown_and_sent_back_says_the_same(db: None, steps: list[dict[str, Any]]) -> None:
    definition = Definition(steps_of(steps), repeats=1, repeat_every_s=1000, acknowledge_timeout_s=90)
    shown = PolicyForm(definition=definition, initial={"name": "Orders", "version": 1})
    sent: dict[str, Any] = {}
    for form in (shown, *shown.rows):
        for field in form:
            value = field.value()
            sent[field.html_name] = "" if value is None or value is False else value
    again = PolicyForm(sent, definition=definition)
    assert again.all_valid(), [again.errors, *(row.errors for row in again.rows)]
    assert again.definition() == definition


def test_saving_it_unchanged_makes_no_version(page: Client) -> None:
    policy, _ = policy_create(
        name="Orders", definition=Definition(steps_of([{"after_s": 30, "targets": [PHONE]}]))
    )
    path = f"/escalations/policies/{policy.pk}/"
    sent = fields_of(page.get(path).content.decode())
    assert sent["row-0-after"] == "0.5"
    assert page.post(path, sent | {"save": "yes"})["Location"] == path
    assert policy.versions.count() == 1
    page.post(path, sent | {"row-0-after": "1", "save": "yes"})
    assert [step.after_s for step in said().steps] == [60]
    assert policy.versions.count() == 2


def test_rows_are_added_and_removed_and_what_was_typed_stays(page: Client) -> None:
    more = page.post(NEW, FORM | {"add": "yes", "row-0-channels": ["email", "push"]}).content.decode()
    sent = fields_of(more)
    assert (sent["count"], sent["name"], sent["row-0-where"]) == ("2", "Orders", "+33 6 12 34 56 78")
    assert sent["row-1-who"] == ""
    assert "This field is required." not in more
    sent |= {"row-1-after": "5", "row-1-who": "address:sms", "row-1-where": "+33612345679"}
    less = fields_of(page.post(NEW, sent | {"remove": "0"}).content.decode())
    assert (less["count"], less["row-0-who"], less["row-0-after"]) == ("1", "address:sms", "5")
    assert not Policy.objects.exists()


def test_who_would_be_told_is_shown_before_it_is_saved(page: Client) -> None:
    answer = page.post(NEW, FORM | {"look": "yes"}).content.decode()
    assert "Not saved yet." in answer
    assert "+33612345678" in re.sub(r".*Who would be told", "", answer, flags=re.DOTALL)
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "where", "says"),
    [
        ({"row-0-where": "12"}, "row-0-where", "number"),
        ({"row-0-who": "somebody", "row-0-where": "x@example.com"}, "row-0-where", "nobody with this email"),
        ({"row-0-who": ""}, "row-0-who", "required"),
        ({"row-0-after": "-1"}, "row-0-after", "greater than or equal to 0"),
        ({"row-0-begin": "09:00"}, "row-0-end", "a beginning and an end"),
        ({"time_zone": "Mars"}, "time_zone", "time zone"),
        ({"repeats": "3"}, "repeat_every", "more than 0 seconds"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    page: Client, wrong: dict[str, str], where: str, says: str
) -> None:
    answer = page.post(NEW, FORM | wrong | {"save": "yes"})
    assert answer.status_code == 422
    said_there = re.search(rf'id="id_{where}_error".*?</ul>', answer.content.decode(), re.DOTALL)
    assert said_there, answer.content.decode()
    assert says in said_there[0]
    assert not Policy.objects.exists()


def test_a_step_that_reaches_nobody_is_saved_only_on_purpose(page: Client) -> None:
    nobody = UserFactory(email="nobody@example.com")
    form = FORM | {"row-0-who": "somebody", "row-0-where": nobody.email, "row-0-channels": "email"}
    answer = page.post(NEW, form)
    assert answer.status_code == 422
    assert "has no confirmed contact point for email" in answer.content.decode()
    assert "Save it though a step reaches nobody now" in answer.content.decode()
    assert page.post(NEW, form | {"may_have_holes": "on"}).status_code == 302


def test_what_somebody_else_saved_meanwhile_is_not_lost_unseen(page: Client, owner: User) -> None:
    policy = policy_of({"after_s": 0, "targets": [PHONE]})
    path = f"/escalations/policies/{policy.pk}/"
    mine = fields_of(page.get(path).content.decode()) | {"row-0-after": "2", "save": "yes"}
    policy_update(policy=policy, changes={"severity": "standard"}, by=owner)
    answer = page.post(path, mine)
    assert answer.status_code == 409
    assert "has changed it meanwhile, to version 2." in answer.content.decode()
    assert said().severity == "standard"
    again = fields_of(answer.content.decode())
    assert (again["version"], again["row-0-after"]) == ("2", "2")
    assert page.post(path, again | {"save": "yes"}).status_code == 302
    assert (said().severity, said().steps[0].after_s) == ("critical", 120)


def test_what_rows_can_not_say_is_left_alone(page: Client) -> None:
    both = {
        "after_s": 0,
        "targets": [PHONE | {"only": {"severity": "critical"}}],
        "only": {"weekdays": ["mon"]},
    }
    policy = policy_of(both)
    path = f"/escalations/policies/{policy.pk}/"
    assert "Change it in the admin" in page.get(path).content.decode()
    assert page.post(path, FORM | {"save": "yes"}).status_code == 409
    assert policy.versions.count() == 1


def test_a_test_tells_whoever_presses_it_alone(page: Client, operator: User) -> None:
    ana = UserFactory()
    ContactPointFactory(user=ana, channel="email", address="ana@example.com")
    ContactPointFactory(user=operator, channel="webhook")
    steps = [
        {"after_s": 0, "targets": [PHONE]},
        {"after_s": 60, "targets": [{"type": "user", "user_id": str(ana.pk), "channels": ["email"]}]},
    ]
    policy = policy_of(*steps)
    answer = page.post(f"/escalations/policies/{policy.pk}/test/")
    process = EscalationProcess.objects.get()
    assert answer["Location"] == f"/escalations/{process.pk}/"
    assert process.process_id.startswith("Test: Orders (")
    told = deliveries_of(process)
    assert {each.user_id for each in told} == {operator.pk}
    assert {each.channel for each in told} == {"inbox", "webhook"}
    assert len({each.due_at for each in told}) == 2


@pytest.mark.parametrize("path", ["/escalations/policies/", NEW])
def test_only_staff_see_them(path: str, stranger: User) -> None:
    client = Client(headers={"accept": "text/html"})
    client.force_login(stranger)
    assert client.get(path).status_code == 403


def test_the_list_shows_each_with_its_version(page: Client, django_assert_num_queries: Any) -> None:
    for number in range(3):
        policy_create(
            name=f"Policy {number}", definition=Definition(steps_of([{"after_s": 0, "targets": [PHONE]}]))
        )
    html = page.get("/escalations/policies/").content.decode()
    assert re.findall(r'class="esc-name"[^>]*>([^<]+)<', html) == ["Policy 0", "Policy 1", "Policy 2"]
    assert html.count("1 step ") == 3
