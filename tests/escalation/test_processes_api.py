"""Escalations over HTTP: who may, what is refused, and what is shown."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from escalation.models import EscalationProcess
from escalation.services import process_acknowledge, process_start, process_stop
from notifications.engine.recipients import Recipient
from notifications.models import Delivery, Subscription
from tests.factories import ContactPointFactory
from tests.queued import end_all

pytestmark = pytest.mark.django_db
URL = "/api/v1/escalations/"
AT = 1555057084
# As the original's README has it.
README = {
    "process-id": "restaurantname",
    "action": "start",
    "notifications": [
        {"channel": "phone", "at": 1555057084, "phone-number": "+3851111111"},
        {"channel": "phone", "at": 1555057096, "phone-number": "+3851111111"},
        {"channel": "email", "at": 1555057096, "email": "me@example.org"},
        {"channel": "pubnub", "at": 1555057096, "pubnub-channel": "ch13234"},
    ],
}


@pytest.fixture
def machine(as_machine: Callable[..., APIClient]) -> APIClient:
    return as_machine("escalations:write", "escalations:read")


def later(**fields: Any) -> Recipient:
    return Recipient(
        "webhook", timezone.now() + timedelta(hours=1), **{"address": "https://a.example.com/", **fields}
    )


def started(process_id: str = "order", *items: Recipient) -> EscalationProcess:
    return process_start(process_id=process_id, notifications=items or [later()], now=timezone.now()).process


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/escalations/", "/escalations", "/api/v1/escalations/", "/api/v1/escalations"]
)
def test_the_originals_requests_are_taken_unchanged(machine: APIClient, path: str) -> None:
    answer = machine.post(path, README)
    assert (answer.status_code, answer.data["result"]) == (201, "started")
    assert answer.data["process"]["process_id"] == "restaurantname"
    made = Delivery.objects.values_list("channel", "address", "due_at", "revocable")
    assert sorted((channel, address, due.timestamp(), will) for channel, address, due, will in made) == [
        ("email", "me@example.org", 1555057096.0, True),
        ("phone", "+3851111111", 1555057084.0, True),
        ("phone", "+3851111111", 1555057096.0, True),
        ("pubnub", "ch13234", 1555057096.0, True),
    ]
    answer = machine.post(path, {"process-id": "restaurantname", "action": "stop"})
    assert (answer.status_code, answer.data["result"]) == (200, "stopped")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ([], "non_field_errors", "JSON object"),
        ({"action": "stop"}, "process-id", "required"),
        ({"process-id": 7, "action": "stop"}, "process-id", "string"),
        ({"process-id": " ", "action": "stop"}, "process-id", "1 to 200"),
        ({"process-id": "a" * 201, "action": "stop"}, "process-id", "1 to 200"),
        ({"process-id": "a\x00", "action": "stop"}, "process-id", "Null"),
        ({"process-id": "a", "action": "pause"}, "action", "start, stop"),
        ({"process-id": "a", "action": ["stop"]}, "action", "start, stop"),
        ({"process-id": "a", "action": "start"}, "notifications", "at least one"),
        ({"process-id": "a", "action": "start", "notifications": []}, "notifications", "at least one"),
        ({"process-id": "a", "action": "start", "policy": "none"}, "policy", "no policy"),
        ({"process-id": "a", "action": "start", "policy": 1}, "policy", "string"),
        ({"process-id": "a", "action": "start", "policy": "a", "notifications": []}, "policy", "either"),
    ],
)
def test_bad_requests_are_refused_by_field(machine: APIClient, given: Any, field: str, said: str) -> None:
    answer = machine.post(URL, given)
    assert answer.status_code == 400
    assert said in " ".join(answer.data[field])
    assert not EscalationProcess.objects.exists()


@pytest.mark.slow
def test_what_is_as_long_as_may_be_is_taken(machine: APIClient) -> None:
    assert machine.post(URL, {"process-id": "a" * 200, "action": "stop"}).status_code == 200
    answer = machine.post(URL, {"process-id": "a", "action": "start", "policy": "a" * 100})
    assert "no policy" in answer.data["policy"][0]
    start = {"process-id": "a", "action": "start"}
    many = [{"channel": "email", "at": AT, "email": f"{number}@example.org"} for number in range(1000)]
    assert machine.post(URL, {**start, "notifications": many}).status_code == 201
    far = {"channel": "webhook", "at": AT, "url": "https://example.org/".ljust(2048, "a")}
    assert machine.post(URL, {**start, "process-id": "b", "notifications": [far]}).status_code == 201
    answer = machine.post(URL, {**start, "notifications": [{**far, "url": far["url"] + "a"}]})
    assert answer.data["notifications"] == ["0: url: Expected 1 to 2048 characters."]


@pytest.mark.slow
@pytest.mark.parametrize(
    "process_id",
    ["policies", "rotations", "schedules", "policies/7", "orders/stop", "orders/acknowledge", "orders/"],
)
def test_a_process_that_nobody_could_read_is_not_started(machine: APIClient, process_id: str) -> None:
    answer = machine.post(URL, {**README, "process-id": process_id})
    assert (answer.status_code, list(answer.data)) == (400, ["process-id"])
    assert machine.post(URL, {"process-id": process_id, "action": "stop"}).data["result"] == "ignored"
    for readable in ("a/policies", "stop", "orders/stopped"):
        assert machine.post(URL, {**README, "process-id": readable}).status_code == 201
        assert machine.get(f"{URL}{readable}/").data["process_id"] == readable


def test_somebody_who_would_be_told_nowhere_starts_nothing(machine: APIClient, owner: User) -> None:
    for channel in ("inbox", "webhook"):
        Subscription.objects.create(user=owner, channel=channel, kind="escalation", is_enabled=False)
    ContactPointFactory(user=owner, channel="webhook", address="https://hooks.example.com/")
    theirs = {"channel": "user", "at": AT, "user-id": str(owner.pk)}
    refused = machine.post(URL, {"process-id": "order", "action": "start", "notifications": [theirs]})
    assert (refused.status_code, list(refused.data)) == (400, ["notifications"])
    assert "switched escalations off" in refused.data["notifications"][0]
    assert not EscalationProcess.objects.exists()
    # Others are told all the same.
    both = [theirs, README["notifications"][2]]  # type: ignore[index]
    assert (
        machine.post(URL, {"process-id": "order", "action": "start", "notifications": both}).status_code
        == 201
    )
    assert Delivery.objects.get(status="pending").channel == "email"
    # And whoever is silenced stands in the history, with the reason.
    shown = machine.get(f"{URL}order/").data["notifications"]
    silenced = [(each["channel"], each["status"], each["reason"]) for each in shown if each["user_id"]]
    assert silenced == [
        ("inbox", "suppressed", "unsubscribed"),
        ("webhook", "suppressed", "unsubscribed"),
    ]
    assert "does not want this kind of message" in shown[0]["explanation"]
    assert EscalationProcess.objects.get().told_users == []


@pytest.mark.slow
def test_the_id_of_a_run_stops_that_run_alone(machine: APIClient, client: Any, operator: User) -> None:
    first = started()
    process_stop(process_id="order", now=timezone.now())
    second = started()
    answer = machine.post(f"{URL}{first.pk}/stop/")
    assert (answer.status_code, answer.data["result"]) == (200, "ignored")
    client.force_login(operator)
    client.post(f"/escalations/{first.pk}/stop/")
    client.post(
        "/admin/escalation/escalationprocess/",
        {"action": "stop_chosen", "_selected_action": [str(first.pk)]},
    )
    second.refresh_from_db()
    assert second.state == "active"
    assert machine.post(f"{URL}{second.pk}/stop/").data["result"] == "stopped"


def test_each_bad_notification_is_named_by_its_index(machine: APIClient) -> None:
    user = str(uuid.uuid4())
    wrong: list[tuple[Any, str]] = [
        ("phone", "JSON object"),
        ({"channel": "carrier-pigeon", "at": AT}, "channel: Expected one of"),
        ({"channel": "email", "email": "a@example.org"}, "at: This field is required"),
        ({"channel": "email", "at": True, "email": "a@example.org"}, "at: Expected a number"),
        ({"channel": "email", "at": 1e12, "email": "a@example.org"}, "at: Expected Unix seconds"),
        ({"channel": "email", "at": -1, "email": "a@example.org"}, "at: Expected Unix seconds"),
        ({"channel": "email", "at": AT}, "email: This field is required"),
        ({"channel": "email", "at": AT, "email": "nobody"}, "email: "),
        ({"channel": "phone", "at": AT, "phone-number": "12"}, "phone-number: "),
        ({"channel": "phone", "at": AT, "phone-number": "+33142685300 ext. 12"}, "phone-number: Extensions"),
        ({"channel": "phone", "at": AT, "phone-number": 385}, "phone-number: Expected a string"),
        ({"channel": "webhook", "at": AT, "url": "ftp://example.org"}, "url: "),
        ({"channel": "telegram", "at": AT, "chat-id": 10**30}, "chat-id: "),
        ({"channel": "push", "at": AT, "token": ""}, "token: "),
        ({"channel": "user", "at": AT, "user-id": "me"}, "user-id: Expected a UUID"),
    ]
    answer = machine.post(
        URL, {"process-id": "a", "action": "start", "notifications": [each for each, _ in wrong]}
    )
    assert answer.status_code == 400
    for index, (said, (_, expected)) in enumerate(zip(answer.data["notifications"], wrong, strict=True)):
        assert said.startswith(f"{index}: ")
        assert expected in said
    body = {"channel": "user", "at": AT, "user-id": user}
    answer = machine.post(URL, {"process-id": "a", "action": "start", "notifications": [body]})
    assert answer.data["notifications"] == ["0: user-id: There is no such user."]
    many = [{"channel": "email", "at": AT, "email": "a@example.org"}] * 1001
    answer = machine.post(URL, {"process-id": "a", "action": "start", "notifications": many})
    assert "at most 1000" in answer.data["notifications"][0]
    assert not EscalationProcess.objects.exists()


def test_a_user_is_told_in_the_inbox_and_at_each_enabled_contact_point(
    machine: APIClient, owner: User, as_user: Callable[[User], APIClient]
) -> None:
    point = ContactPointFactory(user=owner)
    ContactPointFactory(user=owner, is_enabled=False)
    at = time.time() + 600
    told = {"channel": "user", "at": at, "user-id": str(owner.pk)}
    past = {"channel": "user", "at": AT, "user-id": str(owner.pk)}
    assert (
        machine.post(URL, {"process-id": "a", "action": "start", "notifications": [past, told]}).status_code
        == 201
    )
    made = Delivery.objects.values_list("channel", "status", "contact_point", "inbox_item__number")
    assert sorted(made, key=str) == sorted(
        [
            ("inbox", "sent", None, 1),
            ("inbox", "pending", None, None),
            ("webhook", "pending", point.pk, None),
            ("webhook", "pending", point.pk, None),
        ],
        key=str,
    )
    assert as_user(owner).get("/api/v1/inbox/unread/").data == {"unread": 1}


@pytest.mark.slow
def test_the_history_says_who_was_to_be_told_when_and_what_happened(
    machine: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = started("tables/7 left", later())
    process_stop(process_id="tables/7 left", by="Ana", now=timezone.now())
    process = started("tables/7 left", *[later(address=f"https://a.example.com/{n}") for n in range(30)])
    with django_assert_max_num_queries(12):
        answer = machine.get(f"{URL}tables%2F7%20left/")
    assert answer.status_code == 200
    assert (answer.data["id"], answer.data["state"]) == (str(process.pk), "active")
    assert [each["number"] for each in answer.data["notifications"]] == list(range(1, 31))
    assert answer.data["notifications"][2]["address"] == "https://a.example.com/2"
    assert answer.data["notifications"][2]["explanation"] == "Waiting to be sent."
    (earlier,) = answer.data["earlier_runs"]
    assert (earlier["id"], earlier["state"], earlier["ended_by"]) == (str(first.pk), "stopped", "Ana")
    answer = machine.get(f"{URL}{first.pk}/")
    assert [each["status"] for each in answer.data["notifications"]] == ["cancelled"]
    assert machine.get(f"{URL}unheard-of/").status_code == 404
    assert machine.get(f"{URL}%00/").status_code == 404


@pytest.mark.slow
def test_lists_are_filtered_paged_and_cheap(
    machine: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        started(f"order-{number}")
    process_stop(process_id="order-1", now=timezone.now())
    machine.get(URL)  # a key's first use is noted
    with django_assert_num_queries(2):  # the key, and the list
        answer = machine.get(URL, {"page_size": 2})
    assert [each["process_id"] for each in answer.data["results"]] == ["order-2", "order-1"]
    assert [each["process_id"] for each in machine.get(answer.data["next"]).data["results"]] == ["order-0"]
    answer = machine.get(URL, {"state": "stopped"})
    assert [each["process_id"] for each in answer.data["results"]] == ["order-1"]
    assert machine.get(URL, {"state": "asleep"}).status_code == 400
    assert machine.get(URL, {"colour": "red"}).status_code == 400


@pytest.mark.slow
def test_who_is_told_sees_and_acknowledges_a_process_and_a_stranger_does_not(
    as_user: Callable[[User], APIClient], owner: User, stranger: User, operator: User
) -> None:
    process = started("order", later(), later(user=owner, address="https://b.example.com/"))
    mine, theirs, all_ = as_user(owner), as_user(stranger), as_user(operator)
    assert [len(client.get(URL).data["results"]) for client in (mine, theirs, all_)] == [1, 0, 1]
    (told,) = mine.get(f"{URL}order/").data["notifications"]
    assert told["user_id"] == str(owner.pk)
    for path in ("order/", f"{process.pk}/"):
        assert theirs.get(URL + path).status_code == 404
    assert theirs.post(f"{URL}order/acknowledge/").status_code == 404
    assert theirs.post(f"{URL}order/stop/").status_code == 404
    assert mine.post(f"{URL}order/stop/").status_code == 403
    assert mine.post(URL, README).status_code == 403
    answer = mine.post(f"{URL}order/acknowledge/")
    assert (answer.status_code, answer.data["state"], answer.data["ended_by"]) == (
        200, "acknowledged", "owner@example.com",
    )  # fmt: skip
    assert set(Delivery.objects.values_list("status", "reason")) == {("cancelled", "acknowledged")}


def test_machines_need_the_scope_and_nobody_anonymous_gets_in(
    as_machine: Callable[..., APIClient], anonymous: APIClient
) -> None:
    started("order")
    reader, writer = as_machine("escalations:read"), as_machine("escalations:write")
    assert reader.post(URL, README).status_code == 403
    assert reader.post(f"{URL}order/stop/").status_code == 403
    assert writer.get(URL).status_code == 403
    assert anonymous.post("/escalations", README).status_code == 401
    assert writer.post(f"{URL}order/stop/").data["result"] == "stopped"
    assert writer.post(f"{URL}order/stop/").data["result"] == "ignored"


@pytest.mark.slow
def test_an_acknowledgement_is_idempotent_and_none_comes_after_a_stop(machine: APIClient) -> None:
    started("order")
    first = machine.post(f"{URL}order/acknowledge/").data
    again = machine.post(f"{URL}order/acknowledge/")
    assert (again.status_code, again.data) == (200, first)
    started("order")
    process_stop(process_id="order", now=timezone.now())
    assert machine.post(f"{URL}order/acknowledge/").status_code == 409


def test_whoever_answers_the_last_call_acknowledges_a_finished_process() -> None:
    process = started("order")
    EscalationProcess.objects.update(state="finished", ended_at=timezone.now())
    assert process_acknowledge(process=process, by="Ana", via="phone", now=timezone.now())
    assert (process.state, process.ended_by, process.ended_via) == ("acknowledged", "Ana", "phone")
    assert not process_acknowledge(process=process, by="Ben", via="phone", now=timezone.now())


def test_what_failed_in_a_process_cannot_be_replayed_after_its_stop(
    as_machine: Callable[..., APIClient],
) -> None:
    process = started("order")
    end_all(status="failed", reason="exhausted")
    assert process_acknowledge(process=process, by="Ana", via="api", now=timezone.now())
    failed = Delivery.objects.get(status="failed")
    client = as_machine("deliveries:write", "escalations:read")
    answer = client.post(f"/api/v1/deliveries/{failed.pk}/replay/")
    assert answer.status_code == 409
    assert "stopped" in answer.data["detail"]
