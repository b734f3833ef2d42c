"""The paths of the intake over HTTP: what clients send, the answers that they get, and what is kept of it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from config import clock
from config.masking import MASK
from escalation.models import AlertGroup, AlertOccurrence, IntakeRequest, Policy, Route
from escalation.receiving import keeping
from tests.escalation.intake.conftest import Make, Sender, alert, body_of, signature_of

FORMATS = ("alertmanager", "grafana", "cloudevents", "generic")
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/cameras/7",
    "type": "org.example.disk.failed",
    "data": {"title": "Disk full"},
}
MAPPING = {"key": "id", "state": "status", "title": "name"}
GOOD: dict[str, Any] = {
    "alertmanager": body_of(alert("Down")),
    "grafana": body_of(alert("Down")),
    "cloudevents": EVENT,
    "generic": {"id": 7, "status": "failed", "name": "Backup"},
}
PD = {
    "event_action": "trigger",
    "dedup_key": "disk/7",
    "payload": {"summary": "Disk full", "source": "db1", "severity": "critical"},
}
ENQUEUE = ("/v2/enqueue", "/v2/enqueue/", "/integrations/pagerduty/v2/enqueue")


def made(of: Any) -> list[tuple[str, str]]:
    """The acts and outcomes of an integration's requests, the first one first."""
    requests = IntakeRequest.objects.filter(integration=of).order_by("pk")
    return [(each["act"], each["outcome"]) for request in requests for each in request.made]


def path_of(integration: Any) -> str:
    return f"/integrations/{integration.format}/{integration.key}/"


# --- Kept -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("slash", ["/", ""])
def test_2xx_means_kept(integration: Make, sender: Sender, format_: str, slash: str) -> None:
    there = integration(format_, mapping=MAPPING if format_ == "generic" else {})
    answer = sender.send(path_of(there).rstrip("/") + slash, GOOD[format_])
    assert (answer.status_code, answer.json()) == (200, {"result": "kept", "occurrences": 1})
    group = AlertGroup.objects.get()
    assert (group.integration, group.state) == (there, "open")
    request = IntakeRequest.objects.get()
    assert (request.status, request.error, json.loads(request.body)) == (200, "", GOOD[format_])
    assert request.made == [{"key": group.key, "act": "trigger", "outcome": "opened", "group": str(group.pk)}]
    assert AlertOccurrence.objects.get().request_id == request.pk


def test_each_body_is_led_by_the_routes_as_they_are_then(
    integration: Make, sender: Sender, policy: Policy
) -> None:
    there = integration("generic", mapping=MAPPING)

    def why(key: str) -> list[str]:
        sender.send(path_of(there), {"id": key, "name": "Backup"})
        return AlertGroup.objects.get(key=key).why

    assert why("1") == ["No route matches: the integration's policy is “On call”."]
    route = Route.objects.create(name="All", position=1, policy=policy, group_by=["team"], group_wait_s=7)
    sender.send(path_of(there), {"id": "2", "name": "Backup"})
    group = AlertGroup.objects.latest("opened_at")
    assert (group.route, group.policy, group.quiet) == (route, policy, "waiting")
    assert group.why == ["The route “All” matches: its policy is “On call”."]
    Policy.objects.update(name="Nights")
    Route.objects.update(is_shadow=True)
    shown = "The route “All” matches, and would tell by “Nights”: it only shows what it would do."
    assert why("3")[0] == shown
    Route.objects.update(is_enabled=False)
    assert why("4") == ["No route matches: the integration's policy is “Nights”."]


def test_the_same_alertmanager_body_again_changes_nothing(integration: Make, sender: Sender) -> None:
    there = integration("alertmanager")
    for _ in range(2):
        assert sender.send(path_of(there), GOOD["alertmanager"]).status_code == 200
    over = body_of(alert("Down", "resolved"))
    for _ in range(2):
        assert sender.send(path_of(there), over).status_code == 200
    assert made(there) == [
        ("trigger", "opened"), ("trigger", "repeated"), ("resolve", "resolved"), ("resolve", "ignored"),
    ]  # fmt: skip
    assert AlertGroup.objects.get().state == "resolved"


def test_a_body_without_alerts_is_kept_too(integration: Make, sender: Sender) -> None:
    there = integration("alertmanager")
    assert sender.send(path_of(there), body_of()).json()["occurrences"] == 0
    assert IntakeRequest.objects.get().made == []


def test_cloudevents_come_structured_in_headers_and_in_batches(integration: Make, sender: Sender) -> None:
    there = integration("cloudevents")
    structured, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
    sender.send(path_of(there), EVENT, content_type=structured)
    sender.send(path_of(there), [EVENT, {**EVENT, "subject": "b"}], content_type=batch)
    headers = {f"ce-{name}": str(EVENT[name]) for name in ("specversion", "id", "source")}
    resolved = {**headers, "ce-type": "org.example.disk.resolved"}
    answer = sender.send(path_of(there), b"not JSON", content_type="text/plain", **resolved)
    assert answer.status_code == 200
    assert made(there) == [
        ("trigger", "opened"), ("trigger", "counted"), ("trigger", "opened"), ("resolve", "resolved"),
    ]  # fmt: skip


def test_cloudevents_senders_may_ask_first(integration: Make) -> None:
    there = integration("cloudevents")
    answer = Client().options(path_of(there), headers={"WebHook-Request-Origin": "eventgrid.example.com"})
    assert (answer.status_code, answer["WebHook-Allowed-Origin"]) == (200, "*")


def test_generic_json_goes_by_the_mapping_of_its_integration(integration: Make, sender: Sender) -> None:
    ready = integration("generic", name="kuma", mapping={"ready": "uptime-kuma"})
    down = {"monitor": {"id": 4, "name": "Shop"}, "heartbeat": {"status": 0, "msg": "timeout"}, "msg": "…"}
    sender.send(path_of(ready), down)
    assert AlertGroup.objects.get().title == "Shop is down"
    none = integration("generic", name="new")
    answer = sender.send(path_of(none), down)
    assert answer.status_code == 400
    assert "no mapping" in answer.json()["detail"]


# --- PagerDuty ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ENQUEUE)
def test_pagerduty_events_name_their_integration_by_the_routing_key(
    integration: Make, sender: Sender, path: str
) -> None:
    there = integration("pagerduty")
    body = {**PD, "routing_key": there.key}
    answer = sender.send(path, body)
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "disk/7"}
    for action in ("acknowledge", "resolve"):
        assert sender.send(path, {**body, "event_action": action}).status_code == 202
    assert made(there) == [
        ("trigger", "opened"), ("acknowledge", "acknowledged"), ("resolve", "resolved"),
    ]  # fmt: skip
    assert there.key not in "".join(IntakeRequest.objects.values_list("body", flat=True))


def test_pagerduty_makes_a_key_where_a_trigger_has_none(integration: Make, sender: Sender) -> None:
    there = integration("pagerduty")
    body = {name: value for name, value in PD.items() if name != "dedup_key"} | {"routing_key": there.key}
    first, again = (sender.send("/v2/enqueue", body).json()["dedup_key"] for _ in range(2))
    assert first == again == AlertGroup.objects.get().key


def test_pagerduty_refuses_as_its_clients_expect(integration: Make, sender: Sender) -> None:
    there = integration("pagerduty")
    for body, reason in (
        ({**PD, "routing_key": "0" * 32}, "routing key"),
        (PD, "routing key"),
        ({**PD, "routing_key": 7}, "routing key"),
        ([], "routing key"),
        ({"routing_key": there.key, "event_action": "shout"}, "event_action"),
        ({"routing_key": there.key, "event_action": "resolve"}, "dedup_key"),
    ):
        answer = sender.send("/v2/enqueue", body)
        assert (answer.status_code, answer.json()["status"]) == (400, "invalid event")
        assert reason in answer.json()["errors"][0]
    assert [each.error for each in IntakeRequest.objects.order_by("pk")] == [
        "event_action must be one of: trigger, acknowledge, resolve.",
        "dedup_key is missing: resolve needs the key of a trigger.",
    ]
    assert sender.send("/v2/change/enqueue", {**PD, "routing_key": there.key}).status_code == 400
    assert not AlertGroup.objects.exists()


def test_with_the_key_in_the_address_pagerduty_events_may_be_large(integration: Make, sender: Sender) -> None:
    there = integration("pagerduty")
    body = {**PD, "routing_key": "any", "payload": {**PD["payload"], "custom_details": {"x": "y" * 100_000}}}
    path = f"/integrations/pagerduty/{there.key}/v2/enqueue"
    assert sender.send(path, body).status_code == 202
    assert len(IntakeRequest.objects.get().body) == keeping.BODY_MAX


# --- Grafana's signature --------------------------------------------------------------------------------


def test_a_signature_of_grafana_is_checked_where_there_is_one(integration: Make, sender: Sender) -> None:
    there = integration("grafana")
    raw = json.dumps(GOOD["grafana"]).encode()
    header = "X_Grafana_Alerting_Signature"
    good = sender.send(path_of(there), raw, **{header: signature_of(raw, there.key)})
    bad = sender.send(path_of(there), raw, **{header: signature_of(raw + b" ", there.key)})
    assert (good.status_code, bad.status_code) == (200, 401)
    assert [each.error for each in IntakeRequest.objects.order_by("pk")] == ["", "The signature is wrong."]


def test_the_time_of_a_signature_is_signed_too_and_must_be_near(integration: Make, sender: Sender) -> None:
    there = integration("grafana")
    raw = json.dumps(GOOD["grafana"]).encode()
    for age, expected in ((timedelta(seconds=10), 200), (timedelta(hours=1), 401)):
        at = str(int((clock.now() - age).timestamp()))
        signature = signature_of(at.encode() + b":" + raw, there.key)
        headers = {"X_Grafana_Alerting_Signature": signature, "X_Grafana_Alerting_Timestamp": at}
        assert sender.send(path_of(there), raw, **headers).status_code == expected


def test_an_integration_may_demand_a_signature(integration: Make, sender: Sender) -> None:
    there = integration("grafana", mapping={"is_signed": True})
    assert sender.send(path_of(there), GOOD["grafana"]).status_code == 401
    assert IntakeRequest.objects.get().error == "The signature is missing."
    assert not AlertGroup.objects.exists()


# --- Refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_an_unknown_key_is_refused_and_so_is_one_of_another_format(
    integration: Make, sender: Sender, format_: str
) -> None:
    other = integration("pagerduty")
    for key in ("0" * 32, "no-key", other.key):
        answer = sender.send(f"/integrations/{format_}/{key}/", GOOD[format_])
        assert (answer.status_code, answer.json()) == (
            401, {"detail": "The key or the signature is wrong."},
        )  # fmt: skip
    assert not IntakeRequest.objects.exists()


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_switched_off_takes_nothing_and_says_why(
    integration: Make, sender: Sender, format_: str
) -> None:
    there = integration(format_, is_enabled=False, mapping=MAPPING if format_ == "generic" else {})
    assert sender.send(path_of(there), GOOD[format_]).status_code == 401
    assert not AlertGroup.objects.exists()
    request = IntakeRequest.objects.get()
    assert (request.status, request.error) == (401, "The integration is switched off.")


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[7]", b'"text"', b"null", b'{"alerts": 7}', b'{"alerts": [7]}', b"\xff", b"[" * 100_000],
    ids=["nothing", "half", "list", "text", "null", "number", "in a list", "no UTF-8", "depth"],
)
def test_a_body_that_is_none_of_its_format_is_400_and_seen(
    integration: Make, sender: Sender, format_: str, raw: bytes
) -> None:
    there = integration(format_, mapping=MAPPING if format_ == "generic" else {})
    answer = sender.send(path_of(there), raw)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    request = IntakeRequest.objects.get()
    assert (request.status, request.made) == (400, [])
    assert request.error
    assert request.body == raw[: keeping.BODY_MAX].decode("utf-8", "replace")
    assert not AlertGroup.objects.exists()


def test_one_bad_alert_makes_the_whole_body_bad(integration: Make, sender: Sender) -> None:
    there = integration("alertmanager")
    assert sender.send(path_of(there), body_of(alert("Down"), {"status": "firing"})).status_code == 400
    assert not AlertGroup.objects.exists()


def test_more_than_its_rate_is_429_and_not_kept(
    integration: Make, sender: Sender, settings: Settings
) -> None:
    settings.RATES = {**settings.RATES, "intake": "2/min"}
    there, other = integration("grafana"), integration("grafana", name="other")
    codes = [sender.send(path_of(there), GOOD["grafana"]).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert sender.send(path_of(there), GOOD["grafana"])["Retry-After"]
    assert sender.send(path_of(other), GOOD["grafana"]).status_code == 200
    assert IntakeRequest.objects.count() == 3


def test_alertmanager_is_told_503_for_too_many_since_it_repeats_only_that(
    integration: Make, sender: Sender, settings: Settings
) -> None:
    settings.RATES = {**settings.RATES, "intake": "1/min"}
    there = integration("alertmanager")
    codes = [sender.send(path_of(there), GOOD["alertmanager"]).status_code for _ in range(2)]
    assert codes == [200, 503]


@pytest.mark.parametrize(
    "path", ["/integrations/alertmanager/{}/", "/integrations/pagerduty/{}/v2/enqueue", "/v2/alerts"]
)
def test_a_database_that_is_away_is_503_in_the_format_of_the_client(
    integration: Make, sender: Sender, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection is bad")

    integration("alertmanager")
    monkeypatch.setattr("psycopg.Cursor.execute", away)
    answer = sender.send(path.format("0" * 32), GOOD["alertmanager"])
    monkeypatch.undo()
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/json")
    assert (
        answer.json()["message" if path == "/v2/alerts" else "detail"] == "Nothing could be kept. Try again."
    )
    assert int(answer["Retry-After"]) > 0


def test_what_fails_half_way_leaves_nothing(integration: Make, sender: Sender) -> None:
    there = integration("alertmanager")
    with connection.cursor() as cursor:  # the group is stored by then
        cursor.execute("ALTER TABLE escalation_intakerequest ADD CHECK (status <> 200)")
    assert sender.send(path_of(there), GOOD["alertmanager"]).status_code == 500
    assert not AlertGroup.objects.exists()
    assert not AlertOccurrence.objects.exists()


# --- Kept without secrets -------------------------------------------------------------------------------


def test_what_is_kept_of_a_body_shows_no_secret(integration: Make, sender: Sender) -> None:
    there = integration("alertmanager")
    secret = "hunter2-" + "x" * 20
    labels = {
        "alertname": "Down",
        "api_key": secret,
        "Authorization": f"Bearer {secret}",
        "db_password": f'{secret}"quoted',
        "of_its_own": there.key,
    }
    sender.send(path_of(there), body_of(alert("Down", labels=labels)))
    body = IntakeRequest.objects.get().body
    assert secret not in body
    assert there.key not in body
    assert body.count(MASK) == 4
    assert json.loads(body)["alerts"][0]["labels"]["alertname"] == "Down"


def test_a_secret_that_the_cut_goes_through_is_not_shown_either(integration: Make) -> None:
    there = integration("alertmanager")
    before = '{"x": "' + "y" * (keeping.BODY_MAX - 40) + '", "token": "'
    shown = keeping.beginning_of((before + "hunter2" * 10 + '"}').encode(), there)
    assert "hunter2" not in shown
    assert shown.endswith(f'"token": "{MASK}"')
    assert len(shown) <= keeping.BODY_MAX
