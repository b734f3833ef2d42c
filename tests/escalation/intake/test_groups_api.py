"""Alert groups and silences over the API and on pages: who sees them, and what can be done."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from config import clock
from escalation.groups import ringing
from escalation.models import AlertGroup, EscalationProcess, Integration, Silence
from tests.escalation.intake.conftest import Make, Sender, alert, body_of

GROUPS, SILENCES = "/api/v1/groups/", "/api/v1/silences/"


@pytest.fixture
def there(integration: Make) -> Integration:
    return integration("alertmanager")


def fire(sender: Sender, there: Integration, *alerts: dict[str, Any]) -> None:
    """Send these, and tell whom they are to be told to."""
    path = f"/integrations/alertmanager/{there.key}/"
    assert sender.send(path, body_of(*alerts)).status_code == 200
    ringing.look(clock.now())


@pytest.fixture
def group(sender: Sender, there: Integration) -> AlertGroup:
    """One of which the owner was told."""
    fire(sender, there, alert("Down"))
    return AlertGroup.objects.get()


@pytest.fixture
def told(as_user: Any, owner: User) -> APIClient:
    client: APIClient = as_user(owner)
    return client


@pytest.fixture
def staff(as_user: Any, operator: User) -> APIClient:
    client: APIClient = as_user(operator)
    return client


def path_of(group: AlertGroup, action: str = "") -> str:
    return f"{GROUPS}{group.pk}/{action}"


# --- The API --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_whoever_was_told_sees_a_group_with_all_that_was_said(
    told: APIClient, group: AlertGroup, sender: Sender, there: Integration
) -> None:
    fire(sender, there, alert("Down", startsAt="2026-01-31T11:00:00Z"))
    shown = told.get(path_of(group)).json()
    assert (shown["title"], shown["state"], shown["quiet"], shown["occurrences"]) == (
        "Down is wrong", "open", "", 2,
    )  # fmt: skip
    assert shown["process"] == str(EscalationProcess.objects.get().pk)
    assert [each["occurrences"] for each in shown["alerts"]] == [2]
    assert [each["act"] for each in shown["said"]] == ["trigger", "trigger"]
    assert shown["why"] == ["No route matches: the integration's policy is “On call”."]
    assert [each["id"] for each in told.get(GROUPS).json()["results"]] == [shown["id"]]


@pytest.mark.slow
def test_nobody_else_does_but_the_staff(
    group: AlertGroup, as_user: Any, teammate: User, staff: APIClient, as_machine: Any
) -> None:
    other = as_user(teammate)
    assert other.get(GROUPS).json()["results"] == []
    assert other.get(path_of(group)).status_code == 404
    for action in ("acknowledge/", "resolve/", "snooze/"):
        assert other.post(path_of(group, action), {"until": "2099-01-01T00:00:00Z"}).status_code == 404
    group.refresh_from_db()
    assert group.state == "open"
    assert len(staff.get(GROUPS).json()["results"]) == 1
    assert len(as_machine("escalations:read").get(GROUPS).json()["results"]) == 1
    assert as_machine("escalations:read").post(path_of(group, "acknowledge/")).status_code == 403


@pytest.mark.slow
def test_it_is_acknowledged_and_resolved_by_whoever_was_told(told: APIClient, group: AlertGroup) -> None:
    taken = told.post(path_of(group, "acknowledge/")).json()
    assert (taken["state"], taken["ended_by"], taken["ended_via"]) == (
        "acknowledged", "owner@example.com", "api",
    )  # fmt: skip
    assert EscalationProcess.objects.get().state == "acknowledged"
    over = told.post(path_of(group, "resolve/")).json()
    assert over["state"] == "resolved"
    assert told.post(path_of(group, "resolve/")).json() == over
    assert told.post(path_of(group, "acknowledge/")).status_code == 409
    until = {"until": (clock.now() + timedelta(hours=1)).isoformat()}
    assert told.post(path_of(group, "snooze/"), until).status_code == 409


@pytest.mark.slow
def test_it_is_put_off_and_told_again(told: APIClient, group: AlertGroup) -> None:
    until = clock.now() + timedelta(hours=1)
    put_off = told.post(path_of(group, "snooze/"), {"until": until.isoformat()}).json()
    assert (put_off["state"], put_off["quiet"]) == ("open", "snoozed")
    assert datetime.fromisoformat(put_off["rings_at"]) == until
    assert EscalationProcess.objects.get().state == "stopped"
    ringing.look(until)
    group.refresh_from_db()
    assert (group.quiet, EscalationProcess.objects.filter(state="active").count()) == ("", 1)


@pytest.mark.slow
@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2098-01-01T00:00:00Z", "soon", 7, None])
def test_a_time_to_put_it_off_to_is_within_thirty_days(
    told: APIClient, group: AlertGroup, until: Any
) -> None:
    answer = told.post(path_of(group, "snooze/"), {"until": until})
    assert (answer.status_code, list(answer.json())) == (400, ["until"])


@pytest.mark.slow
def test_the_list_is_narrowed(staff: APIClient, group: AlertGroup, sender: Sender, integration: Make) -> None:
    silent = integration("alertmanager", name="silent", policy=None)
    fire(sender, silent, alert("Quiet"))
    policy = str(group.policy_id)
    for query, expected in (
        ({"state": "open"}, 2),
        ({"state": "resolved"}, 0),
        ({"quiet": "unrouted"}, 1),
        ({"integration": str(silent.pk)}, 1),
        ({"policy": policy}, 1),
        ({"key": group.key}, 1),
        ({"opened_after": "2099-01-01T00:00:00Z"}, 0),
        ({"opened_before": "2099-01-01T00:00:00Z"}, 2),
    ):
        assert len(staff.get(GROUPS, query).json()["results"]) == expected, query
    for query in ({"state": "on"}, {"quiet": ""}, {"colour": "red"}, {"policy": "x"}):
        assert staff.get(GROUPS, query).status_code == 400, query


@pytest.mark.slow
def test_the_list_asks_few_questions(
    staff: APIClient, sender: Sender, there: Integration, django_assert_num_queries: Any
) -> None:
    fire(sender, there, *(alert(f"Down {number}") for number in range(4)))
    staff.get(GROUPS)
    with django_assert_num_queries(3):  # the session, the person, the page
        assert len(staff.get(GROUPS).json()["results"]) == 4


@pytest.mark.slow
def test_a_storm_is_seen_with_all_that_it_tells_of(
    told: APIClient, sender: Sender, there: Integration
) -> None:
    fire(sender, there, *(alert(f"Down {number}") for number in range(40)))
    ringing.look(clock.now() + timedelta(minutes=1))
    assert EscalationProcess.objects.count() == 1
    storm = AlertGroup.objects.get(is_storm=True)
    shown = told.get(path_of(storm)).json()
    assert len(shown["stormed"]) == 40
    one = told.get(f"{GROUPS}{shown['stormed'][0]['id']}/").json()
    assert (one["quiet"], one["storm"]) == ("storm", str(storm.pk))


# --- Silences -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_silence_holds_back_what_it_matches_until_it_is_cancelled(
    staff: APIClient, operator: User, group: AlertGroup
) -> None:
    ends = clock.now() + timedelta(hours=2)
    matchers = [{"label": "alertname", "op": "=", "value": "Down"}]
    body = {"reason": "Moving", "matchers": matchers, "ends_at": ends.isoformat()}
    made = staff.post(SILENCES, body).json()
    assert (made["created_by"], datetime.fromisoformat(made["holds_until"])) == (operator.email, ends)
    group.refresh_from_db()
    assert (group.quiet, group.rings_at) == ("silenced", ends)
    assert staff.delete(f"{SILENCES}{made['id']}/").status_code == 204
    ringing.look(clock.now())
    group.refresh_from_db()
    assert (group.quiet, group.state) == ("", "open")
    shown = staff.get(f"{SILENCES}{made['id']}/").json()
    assert shown["cancelled_at"]
    assert shown["holds_until"] is None
    for over, count in (("true", 1), ("false", 0)):
        assert len(staff.get(SILENCES, {"is_over": over}).json()["results"]) == count


def test_a_window_that_comes_again_is_never_over(staff: APIClient) -> None:
    body = {
        "reason": "Sunday",
        "starts_at": "2026-01-04T02:00:00+01:00",
        "ends_at": "2026-01-04T04:00:00+01:00",
        "rule": "FREQ=WEEKLY",
        "time_zone": "Europe/Paris",
    }
    made = staff.post(SILENCES, body).json()
    assert (made["rule"], made["ends_at"]) == ("FREQ=WEEKLY", "2026-01-04T03:00:00Z")
    assert len(staff.get(SILENCES, {"is_over": "false"}).json()["results"]) == 1


def test_bad_silences_are_refused_by_field(staff: APIClient) -> None:
    for change, field in (
        ({"reason": ""}, "reason"),
        ({"matchers": [7]}, "matchers"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "non_field_errors"),
        ({"rule": "FREQ=NEVER"}, "rule"),
        ({"time_zone": "Europe/Lutetia"}, "time_zone"),
    ):
        answer = staff.post(SILENCES, {"reason": "x", "ends_at": "2099-01-01T00:00:00Z", **change})
        assert (answer.status_code, list(answer.json())) == (400, [field]), change
    assert not Silence.objects.exists()


def test_silences_are_the_staffs(told: APIClient, as_machine: Any) -> None:
    body = {"reason": "x", "ends_at": "2099-01-01T00:00:00Z"}
    assert told.get(SILENCES).status_code == told.post(SILENCES, body).status_code == 403
    assert as_machine("escalations:read").post(SILENCES, body).status_code == 403
    made = as_machine("escalations:write").post(SILENCES, body)
    assert (made.status_code, made.json()["created_by"]) == (201, None)


# --- Pages ----------------------------------------------------------------------------------------------


def page_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.slow
def test_the_pages_show_a_group_to_whoever_was_told_and_to_nobody_else(
    group: AlertGroup, owner: User, teammate: User, operator: User
) -> None:
    path = f"/groups/{group.pk}/"
    for user in (owner, operator):
        page = page_of(user)
        assert "Down is wrong" in page.get("/groups/").content.decode()
        shown = page.get(path).content.decode()
        assert "policy is “On call”" in shown
        assert "alertmanager" in shown
    other = page_of(teammate)
    assert "Down is wrong" not in other.get("/groups/").content.decode()
    assert other.get(path).status_code == 404
    assert other.post(f"{path}resolve/").status_code == 404


@pytest.mark.slow
def test_what_is_open_comes_first(sender: Sender, there: Integration, owner: User, operator: User) -> None:
    for name in ("First", "Second", "Third"):
        fire(sender, there, alert(name))
    page = page_of(operator)
    newest = AlertGroup.objects.get(title__startswith="Third")
    page.post(f"/groups/{newest.pk}/resolve/")
    page.post(f"/groups/{AlertGroup.objects.get(title__startswith='Second').pk}/acknowledge/")
    names = re.findall(r'class="esc-name"[^>]*>(\w+) is wrong', page.get("/groups/").content.decode())
    assert names == ["First", "Second", "Third"]
    for state, shown in (("open", "First"), ("acknowledged", "Second"), ("resolved", "Third")):
        html = page.get("/groups/", {"state": state}).content.decode()
        assert re.findall(r'class="esc-name"[^>]*>(\w+) is wrong', html) == [shown]


@pytest.mark.slow
def test_what_is_over_goes_on_page_by_page(sender: Sender, there: Integration, operator: User) -> None:
    names = [f"Down{number}" for number in range(35)]
    fire(sender, there, *(alert(name) for name in names))
    fire(sender, there, *(alert(name, "resolved") for name in names))
    page = page_of(operator)
    first = page.get("/groups/?state=resolved").content.decode()
    (older,) = re.findall(r'href="(\?[^"]*before=[^"]*)"', first)
    second = page.get(f"/groups/{older.replace('&amp;', '&')}").content.decode()
    seen = re.findall(r"Down\d+ is wrong", first + second)
    assert sorted(seen) == sorted(f"{name} is wrong" for name in names)


@pytest.mark.slow
def test_the_buttons_acknowledge_put_off_and_resolve(group: AlertGroup, owner: User) -> None:
    page, path = page_of(owner), f"/groups/{group.pk}/"
    for action, given, state, quiet in (
        ("acknowledge", {}, "acknowledged", ""),
        ("snooze", {"for": "4h"}, "acknowledged", "snoozed"),
        ("resolve", {}, "resolved", "snoozed"),
    ):
        answer = page.post(f"{path}{action}/", given)
        assert (answer.status_code, answer["Location"]) == (302, path)
        group.refresh_from_db()
        assert (group.state, group.ended_by) == (state, owner.email)
        if action == "snooze":
            assert group.quiet == quiet
    shown = page.get(path).content.decode()
    assert re.findall(r'id="group-(?:acknowledge|resolve|snooze)', shown) == []
    page.post(f"{path}acknowledge/")
    assert "already resolved" in page.get(path).content.decode()


def test_tomorrow_is_eight_in_the_morning_by_the_persons_clock(group: AlertGroup, owner: User) -> None:
    owner.time_zone = "Pacific/Auckland"
    owner.save()
    page_of(owner).post(f"/groups/{group.pk}/snooze/", {"for": "tomorrow"})
    group.refresh_from_db()
    local = group.rings_at.astimezone(ZoneInfo("Pacific/Auckland"))
    today = clock.now().astimezone(ZoneInfo("Pacific/Auckland")).date()
    assert (local.date() - today, local.hour, local.minute) == (timedelta(days=1), 8, 0)


# --- The admin ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_admin_shows_the_address_and_the_last_requests(
    group: AlertGroup, there: Integration, operator: User
) -> None:
    page = page_of(operator)
    shown = page.get(f"/admin/escalation/integration/{there.pk}/change/").content.decode()
    assert f"/integrations/alertmanager/{there.key}/" in shown
    assert f"opened {group.key}" in shown
    for path in (
        f"/admin/escalation/alertgroup/{group.pk}/change/",
        "/admin/escalation/alertgroup/?q=Down",
        "/admin/escalation/intakerequest/",
        f"/admin/escalation/intakerequest/{there.requests.get().pk}/change/",
        "/admin/escalation/route/add/",
        "/admin/escalation/silence/add/",
        "/admin/escalation/silence/",
        "/admin/escalation/integration/",
    ):
        assert page.get(path).status_code == 200, path


@pytest.mark.slow
def test_a_group_leads_the_staff_to_a_silence_of_its_own(
    group: AlertGroup, there: Integration, owner: User
) -> None:
    desk = page_of(User.objects.create_user("desk@example.com", is_staff=True))
    found = re.search(r'href="(/silences/new/[^"]*)"', desk.get(f"/groups/{group.pk}/").content.decode())
    assert found
    form = desk.get(found[1]).context["form"]
    assert form["matching"].value() == f"integration = {there.name}\nkey = {group.key}"
    assert "/silences/" not in page_of(owner).get(f"/groups/{group.pk}/").content.decode()


@pytest.mark.slow
def test_the_admin_makes_integrations_and_new_keys(operator: User, policy: Any) -> None:
    page = page_of(operator)
    form = {
        "name": "Checks",
        "format": "generic",
        "severity": "critical",
        "policy": str(policy.pk),
        "mapping": '{"state": "status"}',
        "is_enabled": "on",
    }
    refused = page.post("/admin/escalation/integration/add/", form)
    assert refused.status_code == 200
    assert "key:" in refused.content.decode()
    assert (
        page.post("/admin/escalation/integration/add/", form | {"mapping": '{"key": "id"}'}).status_code
        == 302
    )
    made = Integration.objects.get()
    renew = f"/admin/escalation/integration/{made.pk}/renew-key/"
    assert "There is a new key." in page.post(renew, follow=True).content.decode()
    renewed = Integration.objects.get()
    assert renewed.key != made.key
    # Whoever may only look makes none.
    User.objects.filter(pk=operator.pk).update(is_superuser=False)
    operator.user_permissions.add(Permission.objects.get(codename="view_integration"))
    refused = page.post(renew, follow=True).content.decode()
    assert "You need the permission to change integrations." in refused
    assert Integration.objects.get().key == renewed.key
    User.objects.filter(pk=operator.pk).update(is_superuser=True)
    page.post(f"/admin/escalation/integration/{made.pk}/delete/", {"post": "yes"})
    assert not Integration.objects.exists()


@pytest.mark.slow
def test_the_admin_closes_groups_and_makes_silences(group: AlertGroup, operator: User) -> None:
    page = page_of(operator)
    form = {
        "reason": "Moving", "matchers": "[]", "time_zone": "UTC", "rule": "",
        "starts_at_0": "2026-01-01", "starts_at_1": "00:00", "ends_at_0": "2099-01-01", "ends_at_1": "00:00",
    }  # fmt: skip
    answer = page.post("/admin/escalation/silence/add/", form)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    group.refresh_from_db()
    assert group.quiet == "silenced"
    chosen = {"_selected_action": [str(Silence.objects.get().pk)], "action": "cancel_chosen"}
    assert "1 cancelled." in page.post("/admin/escalation/silence/", chosen, follow=True).content.decode()
    assert Silence.objects.get().cancelled_at
    chosen = {"_selected_action": [str(group.pk)], "action": "resolve_chosen"}
    assert "1 resolved." in page.post("/admin/escalation/alertgroup/", chosen, follow=True).content.decode()
    group.refresh_from_db()
    assert (group.state, group.ended_via) == ("resolved", "admin")


# --- Personal data --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_person_can_have_what_they_were_told_of_and_silenced(
    group: AlertGroup, told: APIClient, owner: User, operator: User
) -> None:
    Silence.objects.create(reason="Moving", ends_at=clock.now() + timedelta(hours=1), created_by=owner)
    for by, shown in ((operator.email, ""), (owner.email, owner.email)):
        AlertGroup.objects.update(ended_by=by)
        given = told.get("/api/v1/users/me/export/").json()
        assert [(each["title"], each["ended_by"]) for each in given["alert_groups"]] == [
            ("Down is wrong", shown)
        ]
    assert [each["reason"] for each in given["silences"]] == ["Moving"]
