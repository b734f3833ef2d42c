"""A person's own steps: set over the API and the page, used by escalations, and never a way into silence."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from escalation.models import EscalationProcess
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.requests import Request
from escalation.selectors import deliveries_of
from escalation.services.policies import policy_create
from escalation.services.processes import process_acknowledge
from escalation.services.requests import request_run
from notifications.models import ContactPoint, Preference, Subscription
from notifications.services.contact_points import contact_point_remove, contact_point_restore
from tests.factories import ContactPointFactory, PreferenceFactory

Points = dict[str, ContactPoint]
AsUser = Callable[[User], APIClient]
PATH = "/api/v1/escalations/"
CRITICAL = [
    {"after_s": 0, "channel": "email"},
    {"after_s": 120, "channel": "sms"},
    {"after_s": 300, "channel": "phone"},
]
STANDARD = [{"after_s": 0, "channel": "email"}, {"after_s": 600, "channel": "webhook"}]
NOW = datetime(2026, 3, 2, 20, 55, tzinfo=UTC)


@pytest.fixture
def points(owner: User) -> Points:
    addresses = {
        "email": "ana@example.com",
        "sms": "+33612345678",
        "phone": "+33612345678",
        "webhook": "https://hooks.example.com/a",
    }
    return {
        channel: ContactPointFactory(user=owner, channel=channel, address=address)
        for channel, address in addresses.items()
    }


def steps_path(user: User) -> str:
    return f"/api/v1/preferences/{user.pk}/steps/"


def set_steps(as_user: AsUser, user: User, **steps: Any) -> dict[str, Any]:
    answer = as_user(user).put(steps_path(user), steps)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def policy_for(user: User, *channels: str, **more: Any) -> None:
    target = {"type": "user", "user_id": str(user.pk), "channels": list(channels)}
    policy_create(
        name="Orders", definition=Definition(steps_of([{"after_s": 60, "targets": [target]}]), **more)
    )


def start(process_id: str = "oven", at: datetime = NOW, **more: str) -> EscalationProcess:
    answer = request_run(Request(process_id, "start", policy="Orders", **more), now=at)
    assert answer.process is not None
    return answer.process


def told(process: EscalationProcess, at: datetime = NOW) -> list[tuple[str, int]]:
    """By which channel, so many seconds after the step."""
    found = deliveries_of(process).order_by("due_at", "channel")
    return [(each.channel, round((each.due_at - at).total_seconds()) - 60) for each in found]


# --- Setting them ---


def test_somebody_sets_their_own_steps_and_sees_them_in_the_order_of_time(
    as_user: AsUser, owner: User, points: Points
) -> None:
    pager = {"after_s": 60, "contact_point_id": str(points["webhook"].pk)}
    found = set_steps(as_user, owner, critical=[*CRITICAL[::-1], pager])
    assert [(each["after_s"], each["channel"], each["contact_point_id"]) for each in found["critical"]] == [
        (0, "email", None),
        (60, "", str(points["webhook"].pk)),
        (120, "sms", None),
        (300, "phone", None),
    ]
    assert {each["problem"] for each in found["critical"]} == {""}
    assert set_steps(as_user, owner, standard=STANDARD)["critical"] == found["critical"]
    assert as_user(owner).get(steps_path(owner)).json()["standard"][1]["channel"] == "webhook"
    assert set_steps(as_user, owner, critical=[], standard=[]) == {
        "user_id": str(owner.pk), "critical": [], "standard": [],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        [{"after_s": -1, "channel": "sms"}],
        [{"after_s": 86_401, "channel": "sms"}],
        [{"after_s": 0}],
        [{"after_s": 0, "channel": "inbox"}],
        [{"after_s": 0, "channel": "pigeon"}],
        [{"after_s": 0, "contact_point_id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"}],
        [{"after_s": 0, "channel": "sms", "contact_point_id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"}],
        [{"after_s": 0, "channel": "sms"}] * 2,
        [{"after_s": each, "channel": "sms"} for each in range(11)],
        "sms",
    ],
)
def test_what_is_wrong_is_refused_by_its_severity(
    as_user: AsUser, owner: User, points: Points, wrong: Any
) -> None:
    refused = as_user(owner).put(steps_path(owner), {"critical": wrong, "standard": STANDARD})
    assert refused.status_code == 400
    assert list(refused.json()) == ["critical"]
    assert not Preference.objects.exclude(steps={}).exists()


def test_steps_are_ones_own_and_lead_to_ones_own(
    as_user: AsUser, owner: User, stranger: User, points: Points
) -> None:
    assert as_user(stranger).get(steps_path(owner)).status_code == 404
    assert as_user(stranger).put(steps_path(owner), {"critical": []}).status_code == 404
    foreign = [{"after_s": 0, "contact_point_id": str(points["email"].pk)}]
    assert as_user(stranger).put(steps_path(stranger), {"critical": foreign}).status_code == 400


# --- Being told by them ---


@pytest.mark.slow
def test_an_escalation_tells_by_the_steps_of_its_severity(
    as_user: AsUser, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL, standard=STANDARD)
    policy_for(owner)
    assert told(start()) == [("email", 0), ("inbox", 0), ("sms", 120), ("phone", 300)]
    assert told(start("fridge", severity="standard")) == [("email", 0), ("inbox", 0), ("webhook", 600)]


def test_without_steps_for_its_severity_all_goes_on_as_before(
    as_user: AsUser, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, standard=STANDARD)
    policy_for(owner)
    assert told(start()) == [("email", 0), ("inbox", 0), ("phone", 0), ("sms", 0), ("webhook", 0)]


def test_a_policy_that_names_channels_does_not_ask_them(as_user: AsUser, owner: User, points: Points) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    policy_for(owner, "phone", "sms")
    assert told(start()) == [("phone", 0), ("sms", 0)]


def test_a_start_with_a_user_asks_them_too(
    as_user: AsUser, as_machine: Any, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    at = round(clock.now().timestamp()) + 60
    body = {
        "process-id": "oven",
        "action": "start",
        "notifications": [{"channel": "user", "at": at, "user-id": str(owner.pk)}],
    }
    assert as_machine("escalations:write").post(PATH, body).status_code == 201
    found = told(EscalationProcess.objects.get(), datetime.fromtimestamp(at - 60, UTC))
    assert found == [("email", 0), ("inbox", 0), ("sms", 120), ("phone", 300)]


def test_acknowledging_stops_the_steps_still_to_come(as_user: AsUser, owner: User, points: Points) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    policy_for(owner)
    process = start(at=clock.now() - timedelta(seconds=70))
    assert process_acknowledge(process=process, by="Ana", via="web", now=clock.now())
    left = {each.channel: (each.status, each.reason) for each in deliveries_of(process)}
    assert left["sms"] == left["phone"] == ("cancelled", "acknowledged")


def test_what_quiet_hours_hold_of_them_keeps_its_distances(
    as_user: AsUser, owner: User, points: Points
) -> None:
    owner.time_zone = "UTC"
    owner.save()
    PreferenceFactory(user=owner, quiet_from=time(21), quiet_until=time(7))
    set_steps(as_user, owner, standard=[*STANDARD, {"after_s": 300, "channel": "sms"}])
    policy_for(owner)
    found = dict(told(start(severity="standard")))
    # Due at 20:56: the mail goes out, the text message of 21:01 waits until 07:00, the webhook follows it.
    wait = (datetime(2026, 3, 3, 7, tzinfo=UTC) - datetime(2026, 3, 2, 20, 56, tzinfo=UTC)).total_seconds()
    assert found == {"email": 0, "inbox": 0, "sms": wait, "webhook": wait + 300}


@pytest.mark.slow
def test_the_dry_run_and_the_why_show_them(
    as_user: AsUser, operator: User, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    policy_for(owner)
    policy = as_user(operator).get(f"{PATH}policies/").json()["results"][0]["id"]
    shown = as_user(operator).post(f"{PATH}policies/{policy}/simulate/", {"at": NOW.isoformat()}).json()
    text = next(each for each in shown["tellings"] if each["channel"] == "sms")
    assert text["due_at"] == "2026-03-02T20:58:00Z"
    assert text["explanation"] == "Told by sms. Their own step 2, after 120 s."
    why = f"/api/v1/preferences/{owner.pk}/explain?kind=escalation&severity=critical&at=2026-03-02T20:55:00Z"
    decisions = as_user(owner).get(why).json()["decisions"]
    assert [(each["channel"], each["outcome"], each["due_at"]) for each in decisions] == [
        ("inbox", "now", "2026-03-02T20:55:00Z"),
        ("email", "now", "2026-03-02T20:55:00Z"),
        ("sms", "later", "2026-03-02T20:57:00Z"),
        ("phone", "later", "2026-03-02T21:00:00Z"),
    ]
    standard = as_user(owner).get(why.replace("critical", "standard")).json()["decisions"]
    assert {each["outcome"] for each in standard} == {"now"}


# --- Never silent ---


@pytest.mark.slow
@pytest.mark.parametrize("how", ["removed", "switched off", "unconfirmed"])
def test_a_step_that_leads_nowhere_tells_everywhere_instead_and_says_so(
    as_user: AsUser, operator: User, owner: User, points: Points, how: str
) -> None:
    set_steps(
        as_user, owner, critical=[*CRITICAL[:1], {"after_s": 120, "contact_point_id": str(points["sms"].pk)}]
    )
    policy_for(owner)
    text = ContactPoint.objects.filter(pk=points["sms"].pk)
    if how == "removed":
        contact_point_remove(contact_point=points["sms"])
    else:
        text.update(**({"is_enabled": False} if how == "switched off" else {"confirmed_at": None}))
    found = as_user(owner).get(steps_path(owner)).json()["critical"]
    assert [bool(each["problem"]) for each in found] == [False, True]
    assert told(start()) == [
        ("email", 0), ("inbox", 0), ("email", 120), ("phone", 120), ("webhook", 120),
    ]  # fmt: skip
    policy = as_user(operator).get(f"{PATH}policies/").json()["results"][0]["id"]
    shown = as_user(operator).post(f"{PATH}policies/{policy}/simulate/", {}).json()["tellings"]
    said = "Their own step 2, after 120 s, leads nowhere: all contact points are told instead."
    assert [each["channel"] for each in shown if said in each["explanation"]] == ["email", "phone", "webhook"]
    if how == "removed":
        contact_point_restore(contact_point=points["sms"], now=clock.now())
        assert told(start("fridge")) == [("email", 0), ("inbox", 0), ("sms", 120)]


@pytest.mark.slow
def test_if_no_contact_point_is_left_the_inbox_is_told_and_the_history_says_so(
    as_user: AsUser, operator: User, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    policy_for(owner)
    for point in points.values():
        contact_point_remove(contact_point=point)
    assert told(start()) == [("inbox", 0)]
    assert len(left_out(as_user(operator))) == len(left_out(as_user(owner))) == 3
    assert "Has no contact point on these channels." in left_out(as_user(operator))[0]


@pytest.mark.slow
def test_only_they_and_staff_see_that_somebodys_steps_lead_nowhere(
    as_user: AsUser, operator: User, owner: User, teammate: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    targets = [{"type": "user", "user_id": str(person.pk)} for person in (owner, teammate)]
    steps = steps_of([{"after_s": 60, "targets": targets}])
    policy_create(name="Orders", definition=Definition(steps), may_have_holes=True)
    for point in points.values():
        contact_point_remove(contact_point=point)
    start()
    assert [len(left_out(as_user(each))) for each in (operator, owner, teammate)] == [3, 3, 0]


def left_out(client: Any) -> list[str]:
    lines = client.get(f"{PATH}oven/timeline/").json()["lines"]
    return [each["text"] for each in lines if each["kind"] == "left_out"]


def test_what_somebody_does_not_want_by_a_channel_is_not_told_elsewhere(
    as_user: AsUser, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL)
    Subscription.objects.create(user=owner, channel="sms", kind="escalation", is_enabled=False)
    policy_for(owner)
    assert told(start()) == [("email", 0), ("inbox", 0), ("phone", 300)]


# --- The page ---


@pytest.fixture
def page(owner: User) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(owner)
    return client


@pytest.mark.slow
def test_the_page_sets_shows_and_ends_them(page: Client, owner: User, points: Points) -> None:
    form = {
        "critical_0_after": "0", "critical_0_where": "channel:email",
        "critical_2_after": "1.5", "critical_2_where": f"point:{points['sms'].pk}",
    }  # fmt: skip
    assert page.post("/settings/steps/", form)["Location"] == "/preferences/"
    assert Preference.objects.get(user=owner).steps == {
        "critical": [
            {"after_s": 0, "channel": "email"},
            {"after_s": 90, "contact_point_id": str(points["sms"].pk)},
        ]
    }
    shown = page.get("/preferences/")
    assert 'value="1.5"' in shown.content.decode()
    form_shown = shown.context["steps"]
    assert form_shown["critical_1_where"].value() == f"point:{points['sms'].pk}"
    page.post("/settings/steps/", {})
    assert Preference.objects.get(user=owner).steps == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"critical_0_after": "", "critical_0_where": "channel:email"}, "critical_0_after"),
        ({"critical_0_after": "5", "critical_0_where": ""}, "critical_0_where"),
        ({"critical_0_after": "-1", "critical_0_where": "channel:email"}, "critical_0_after"),
        ({"critical_0_after": "1", "critical_0_where": "channel:pigeon"}, "critical_0_where"),
        ({"critical_0_after": "1", "critical_0_where": "channel:inbox"}, "critical_0_where"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    page: Client, points: Points, wrong: dict[str, str], field: str
) -> None:
    refused = page.post("/settings/steps/", wrong)
    assert refused.status_code == 422
    assert field in refused.context["steps"].errors
    assert not Preference.objects.exclude(steps={}).exists()


@pytest.mark.slow
def test_removing_a_contact_point_says_which_steps_led_there(
    page: Client, as_user: AsUser, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=CRITICAL, standard=STANDARD)
    said = page.post(f"/settings/points/{points['webhook'].pk}/remove/", follow=True).content.decode()
    assert "A step of yours for standard escalations led there." in said
    assert "This leads nowhere" in said
    ContactPointFactory(user=owner, channel="sms", address="+33612345679")
    said = page.post(f"/settings/points/{points['sms'].pk}/remove/", follow=True).content.decode()
    assert "for critical escalations led there" not in said  # the other one is told by that step


@pytest.mark.slow
def test_a_step_whose_contact_point_was_removed_stays_visible_until_it_is_changed(
    page: Client, as_user: AsUser, owner: User, points: Points
) -> None:
    set_steps(as_user, owner, critical=[{"after_s": 0, "contact_point_id": str(points["sms"].pk)}])
    contact_point_remove(contact_point=points["sms"])
    assert "Removed" in page.get("/preferences/").content.decode()
    form = {"critical_0_after": "0", "critical_0_where": f"point:{points['sms'].pk}"}
    refused = page.post("/settings/steps/", form)
    assert refused.status_code == 422
    assert "this one has been removed" in refused.content.decode()
