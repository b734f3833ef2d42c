"""Integrations and routes over the API: who sees the key, what a body would make, and in which order."""

import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from escalation.models import AlertGroup, AlertOccurrence, IntakeRequest, Integration, Policy, Route
from tests.escalation.intake.conftest import Make, Sender, alert, body_of

PATH, ROUTES = "/api/v1/integrations/", "/api/v1/routes/"
TEAM = [{"label": "alertname", "op": "~", "value": "Disk*"}]


@pytest.fixture
def staff(as_user: Any, operator: Any) -> APIClient:
    client: APIClient = as_user(operator)
    return client


@pytest.fixture
def made(staff: APIClient, policy: Policy) -> dict[str, Any]:
    given: dict[str, Any] = staff.post(
        PATH, {"name": "Prometheus", "format": "alertmanager", "policy": str(policy.pk)}
    ).json()
    return given


def test_an_integration_is_made_once_and_its_address_takes_what_is_sent(
    staff: APIClient, made: dict[str, Any], policy: Policy, sender: Sender, settings: Any
) -> None:
    body = {"name": "Prometheus", "format": "alertmanager", "policy": str(policy.pk)}
    again = staff.post(PATH, body)
    assert (again.status_code, again.json()) == (200, made)
    assert staff.post(PATH, {**body, "severity": "standard"}).status_code == 409
    origin = settings.PUBLIC_URL
    assert made["url"] == f"{origin}/integrations/alertmanager/{made['key']}/"
    assert sender.send(made["url"].removeprefix(origin), body_of(alert("Down"))).status_code == 200
    requests = staff.get(f"{PATH}{made['id']}/requests/").json()["results"]
    assert [each["made"][0]["outcome"] for each in requests] == ["opened"]


@pytest.mark.slow
def test_the_key_is_shown_to_staff_only(
    staff: APIClient, made: dict[str, Any], as_machine: Any, as_user: Any, owner: Any
) -> None:
    machine = as_machine("escalations:write", "escalations:read")
    assert machine.get(f"{PATH}{made['id']}/").json() == {**made, "key": None, "url": None}
    assert machine.get(PATH).json()["results"][0]["key"] is None
    assert machine.post(PATH, {"name": "x", "format": "grafana"}).json()["key"] is None
    assert machine.post(f"{PATH}{made['id']}/key/").status_code == 403
    assert staff.get(PATH, {"format": "alertmanager"}).json()["results"] == [made]
    for path in (PATH, f"{PATH}{made['id']}/", f"{PATH}{made['id']}/requests/", ROUTES):
        assert as_user(owner).get(path).status_code == 403


def test_a_new_key_ends_the_one_before(staff: APIClient, made: dict[str, Any], sender: Sender) -> None:
    new = staff.post(f"{PATH}{made['id']}/key/").json()
    assert new["key"] != made["key"]
    assert sender.send(f"/integrations/alertmanager/{made['key']}/", body_of()).status_code == 401
    assert sender.send(f"/integrations/alertmanager/{new['key']}/", body_of()).status_code == 200


def test_it_is_changed_field_by_field(staff: APIClient, made: dict[str, Any], shop: Any) -> None:
    path = f"{PATH}{made['id']}/"
    changed = staff.patch(path, {"shop": shop.slug, "severity": "standard", "policy": None})
    assert changed.json() == {**made, "shop": shop.slug, "severity": "standard", "policy": None}
    assert staff.post(PATH, {"name": "other", "format": "grafana"}).status_code == 201
    assert staff.patch(path, {"name": "other"}).status_code == 409


@pytest.mark.slow
def test_bad_input_is_refused_by_field(staff: APIClient, policy: Policy) -> None:
    policy.deleted_at = policy.created_at
    policy.save()
    for change, field in (
        ({"name": ""}, "name"),
        ({"format": "nagios"}, "format"),
        ({"policy": str(policy.pk)}, "policy"),
        ({"policy": "x"}, "policy"),
        ({"shop": "nowhere"}, "shop"),
        ({"shop": {"slug": "x"}}, "shop"),
        ({"severity": "loud"}, "severity"),
        ({"is_enabled": "yes"}, "is_enabled"),
        ({"mapping": []}, "mapping"),
        ({"mapping": {"key": "id"}}, "mapping"),  # of no use to Alertmanager
        ({"format": "grafana", "mapping": {"is_signed": "yes"}}, "mapping"),
        ({"format": "generic", "mapping": {"ready": "nagios"}}, "mapping"),
        ({"format": "generic", "mapping": {"ready": ["zabbix"]}}, "mapping"),
        ({"format": "generic", "mapping": {"ready": "zabbix", "key": "id"}}, "mapping"),
        ({"format": "generic", "mapping": {"state": "status"}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "id["}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "'\x00'"}}, "mapping"),
        ({"format": "generic", "mapping": {"key": 7}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "id", "resolved": ["over"] * 51}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "id", "resolved": "ok"}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "id", "resolved": ["OK"]}}, "mapping"),
        ({"format": "generic", "mapping": {"key": "id", "colour": "red"}}, "mapping"),
    ):
        answer = staff.post(PATH, {"name": "x", "format": "alertmanager", **change})
        assert (answer.status_code, list(answer.json())) == (400, [field]), change
    assert not Integration.objects.exists()
    as_many = {"key": "id", "resolved": ["over"] * 50}
    assert staff.post(PATH, {"name": "x", "format": "generic", "mapping": as_many}).status_code == 201


def test_what_is_removed_ends_what_it_opened(
    staff: APIClient, made: dict[str, Any], sender: Sender, django_capture_on_commit_callbacks: Any
) -> None:
    sender.send(f"/integrations/alertmanager/{made['key']}/", body_of(alert("Down")))
    assert staff.delete(f"{PATH}{made['id']}/").status_code == 204
    assert sender.send(f"/integrations/alertmanager/{made['key']}/", body_of()).status_code == 401
    for model in (Integration, IntakeRequest, AlertGroup, AlertOccurrence):
        assert not model.objects.exists()


# --- Trying ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_pasted_body_shows_what_it_would_make_and_why_and_stores_nothing(
    staff: APIClient, made: dict[str, Any], policy: Policy
) -> None:
    for body in (
        {"name": "Disks", "matchers": TEAM, "policy": str(policy.pk), "group_by": ["alertname"]},
        {"name": "Shadow", "matchers": [], "is_shadow": True},
    ):
        assert staff.post(ROUTES, body).status_code == 201
    staff.put(f"{ROUTES}order/", {"ids": [each["id"] for each in routes(staff)][::-1]})
    pasted = body_of(alert("DiskFull"), alert("DiskSlow"), alert("Down"), alert("Gone", "resolved"))
    answer = staff.post(f"{PATH}{made['id']}/try/", {"body": pasted})
    assert answer.status_code == 200
    shown = answer.json()["occurrences"]
    assert [(each["outcome"], each["route"], each["policy"]) for each in shown] == [
        ("opened", "Disks", "On call"),
        ("opened", "Disks", "On call"),
        ("opened", None, "On call"),
        ("ignored", None, None),
    ]
    assert shown[0]["why"] == [
        "The route “Shadow” matches, and would tell to nobody: it only shows what it would do.",
        "The route “Disks” matches: its policy is “On call”.",
    ]
    assert shown[0]["labels"]["alertname"] == "DiskFull"
    assert not IntakeRequest.objects.exists()
    assert not AlertGroup.objects.exists()


def test_a_try_tells_what_is_open_and_silenced(
    staff: APIClient, made: dict[str, Any], sender: Sender
) -> None:
    sender.send(f"/integrations/alertmanager/{made['key']}/", body_of(alert("Down")))
    window = {"reason": "Moving", "ends_at": "2099-01-01T00:00:00Z"}
    assert staff.post("/api/v1/silences/", window).status_code == 201
    pasted = body_of(alert("Down"), alert("New"))
    shown = staff.post(f"{PATH}{made['id']}/try/", {"body": pasted}).json()["occurrences"]
    assert [each["outcome"] for each in shown] == ["repeated", "opened"]
    assert shown[1]["silence"] == "Moving"


EARLIER, LATER = "2026-01-31T09:00:00Z", "2026-01-31T11:00:00Z"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        ([alert("Down")], ["repeated"]),
        ([alert("Down", startsAt=LATER)], ["counted"]),
        ([alert("New"), alert("New"), alert("New", startsAt=LATER)], ["opened", "repeated", "counted"]),
        # Of before what ended last.
        ([alert("Over")], ["ignored"]),
        ([alert("Over", startsAt=EARLIER)], ["ignored"]),
        ([alert("Over", startsAt=LATER)], ["opened"]),
        ([alert("Down", "resolved"), alert("Down")], ["resolved", "ignored"]),
        ([alert("Down", "resolved"), alert("Down", startsAt=LATER)], ["resolved", "joined"]),
        ([alert("Down", "resolved", startsAt=EARLIER), alert("Down")], ["ignored", "repeated"]),
        ([alert("New", "resolved"), alert("Over", "resolved")], ["ignored", "ignored"]),
    ],
)
def test_a_try_tells_of_what_was_taken_before_what_comes_then(
    staff: APIClient, made: dict[str, Any], sender: Sender, body: list[dict[str, Any]], outcomes: list[str]
) -> None:
    path = f"/integrations/alertmanager/{made['key']}/"
    sender.send(path, body_of(alert("Down"), alert("Over")))
    sender.send(path, body_of(alert("Over", "resolved")))
    tried = staff.post(f"{PATH}{made['id']}/try/", {"body": body_of(*body)}).json()["occurrences"]
    assert [each["outcome"] for each in tried] == outcomes
    assert [each["group_key"] is None for each in tried] == [
        each in ("ignored", "resolved") for each in outcomes
    ]
    sender.send(path, body_of(*body))
    taken = IntakeRequest.objects.order_by("-pk")[0].made
    assert [each["outcome"] for each in taken] == outcomes


def test_a_body_can_be_pasted_as_text_with_the_headers_it_would_have(
    staff: APIClient, integration: Make
) -> None:
    there = integration("cloudevents")
    headers = {
        "Content-Type": "text/plain", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x",
        "ce-type": "disk.failed",
    }  # fmt: skip
    shown = staff.post(f"{PATH}{there.pk}/try/", {"body": "it broke", "headers": headers}).json()
    assert [each["details"] for each in shown["occurrences"]] == ["it broke"]


@pytest.mark.slow
@pytest.mark.parametrize("format_", Integration.Format.values)
@pytest.mark.parametrize("body", ["{", "[7]", {"x": 1}, None, 7])
def test_what_is_none_of_its_format_is_said(
    staff: APIClient, integration: Make, format_: str, body: Any
) -> None:
    there = integration(format_, mapping={"key": "id"} if format_ == "generic" else {})
    answer = staff.post(f"{PATH}{there.pk}/try/", {"body": body})
    assert (answer.status_code, list(answer.json())) == (400, ["body"])


# --- Routes ---------------------------------------------------------------------------------------------


def routes(client: APIClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(ROUTES).json()["results"]
    return found


def test_routes_are_made_behind_each_other_and_put_into_order(staff: APIClient) -> None:
    first, second = (staff.post(ROUTES, {"name": name}).json() for name in "ab")
    assert staff.post(ROUTES, {"name": "a"}).status_code == 200
    assert staff.post(ROUTES, {"name": "a", "is_shadow": True}).status_code == 409
    assert [each["name"] for each in routes(staff)] == ["a", "b"]
    assert staff.put(f"{ROUTES}order/", {"ids": [second["id"], first["id"]]}).status_code == 204
    assert [(each["name"], each["position"]) for each in routes(staff)] == [("b", 1), ("a", 2)]
    for ids in ([], [first["id"]], [first["id"]] * 2, [first["id"], str(uuid.uuid4())]):
        assert staff.put(f"{ROUTES}order/", {"ids": ids}).status_code == 400


def test_routes_are_changed_and_removed(staff: APIClient, policy: Policy) -> None:
    path = f"{ROUTES}{staff.post(ROUTES, {'name': 'a'}).json()['id']}/"
    changed = staff.patch(path, {"matchers": TEAM, "policy": str(policy.pk), "group_wait_s": 30}).json()
    assert changed == staff.get(path).json()
    assert (changed["matchers"], changed["policy"], changed["group_wait_s"]) == (TEAM, str(policy.pk), 30)
    assert staff.delete(path).status_code == 204
    assert staff.get(path).status_code == 404


def test_bad_routes_are_refused_by_field(staff: APIClient) -> None:
    for change, field in (
        ({"name": 7}, "name"),
        ({"matchers": {}}, "matchers"),
        ({"matchers": [{"label": "x", "op": "=", "value": "y"}] * 33}, "matchers"),
        ({"matchers": [{"label": "x", "op": ">", "value": "y"}]}, "matchers"),
        ({"matchers": [{"label": "x", "op": "="}]}, "matchers"),
        ({"group_by": ["x" * 101]}, "group_by"),
        ({"group_by": [""]}, "group_by"),
        ({"group_wait_s": -1}, "group_wait_s"),
        ({"repeat_interval_s": 1.5}, "repeat_interval_s"),
        ({"position": -1}, "position"),
    ):
        answer = staff.post(ROUTES, {"name": "x", **change})
        assert (answer.status_code, list(answer.json())) == (400, [field]), change
    assert not Route.objects.exists()
