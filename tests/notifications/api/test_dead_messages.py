"""Dead letters of brokers over the API: who may see them, replaying and discarding."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from accounts.models import User
from notifications.models import DeadMessage, Event

pytestmark = pytest.mark.django_db
LIST = "/api/v1/dead-messages/"
AsUser, AsMachine = Callable[[User], APIClient], Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _broker(settings: Settings) -> None:
    settings.SOURCES = {**settings.SOURCES, "events": {**settings.SOURCES["events"], "url": "amqp://nowhere"}}


#: Of the sources that there are.
DOMAINS = ("events:read", "dating:read", "escalations:read", "tracing:read")


@pytest.fixture
def machine(as_machine: AsMachine) -> APIClient:
    return as_machine("messages:read", "messages:write", *DOMAINS)


def dead(body: bytes = b'{"n": 1}', **fields: Any) -> DeadMessage:
    defaults = {
        "source": "events",
        "reason": "It was raining.",
        "body": body,
        "size": len(body),
        "routing_key": "test.measured",
        "key": uuid.uuid4().hex,
        "delivered_at": timezone.now(),
    }
    return DeadMessage.objects.create(**{**defaults, **fields})


def path(message: DeadMessage, action: str = "") -> str:
    return f"{LIST}{message.pk}/{f'{action}/' if action else ''}"


def test_a_person_and_a_machine_without_the_scope_see_and_do_nothing(
    as_user: AsUser, as_machine: AsMachine, stranger: User, anonymous: APIClient
) -> None:
    message = dead()
    reader = as_machine("messages:read")
    for client, code in ((anonymous, 401), (as_user(stranger), 403), (as_machine("events:read"), 403)):
        assert client.get(LIST).status_code == code
        assert client.get(path(message)).status_code == code
        assert client.post(path(message, "replay")).status_code == code
    assert reader.post(path(message, "discard")).status_code == 403
    message.refresh_from_db()
    assert message.state == "dead"


def test_the_staff_see_them_with_their_reason_and_one_with_its_body(as_user: AsUser, operator: User) -> None:
    message = dead(b"{not json \xff")
    (row,) = as_user(operator).get(LIST).json()["results"]
    assert (row["reason"], row["source"], row["size"]) == ("It was raining.", "events", 11)
    assert "body" not in row
    assert as_user(operator).get(path(message)).json()["body"] == "{not json \ufffd"


def test_the_list_costs_the_same_however_many_there_are(
    machine: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    machine.get(LIST)
    for count in (1, 10):
        for _ in range(count):
            dead()
        with django_assert_num_queries(2):
            assert machine.get(LIST).status_code == 200


def test_it_is_narrowed_by_source_and_state(machine: APIClient) -> None:
    dead(source="dating")
    dead(state="discarded")
    assert [row["source"] for row in machine.get(LIST, {"source": "dating"}).json()["results"]] == ["dating"]
    assert [row["state"] for row in machine.get(LIST, {"state": "discarded"}).json()["results"]] == [
        "discarded"
    ]
    assert machine.get(LIST, {"state": "lost"}).status_code == 400


def test_a_replay_has_it_take_effect_once(machine: APIClient) -> None:
    message = dead()
    answer = machine.post(path(message, "replay"))
    assert (answer.status_code, answer.json()["state"]) == (200, "replayed")
    assert Event.objects.get(routing_key="test.measured").payload == {"n": 1}
    again = machine.post(path(message, "replay"))
    assert again.status_code == 409
    assert Event.objects.filter(routing_key="test.measured").count() == 1


def test_a_replay_that_fails_says_why_and_leaves_it_dead(machine: APIClient) -> None:
    message = dead(b"{")
    answer = machine.post(path(message, "replay"))
    assert answer.status_code == 409
    assert "Expected JSON" in answer.json()["detail"]
    message.refresh_from_db()
    assert (message.state, message.replays) == ("dead", 1)
    assert "Expected JSON" in message.reason


def test_one_that_was_cut_or_whose_source_is_gone_can_not_be_replayed(machine: APIClient) -> None:
    assert machine.post(path(dead(is_cut=True), "replay")).status_code == 409
    answer = machine.post(path(dead(source="gone"), "replay"))
    assert answer.status_code == 409
    assert "no source" in answer.json()["detail"]


def test_many_are_replayed_by_source_and_one_that_fails_stops_no_other(machine: APIClient) -> None:
    for body in (b'{"n": 1}', b"{", b'{"n": 2}'):
        dead(body)
    dead(source="dating")
    answer = machine.post(f"{LIST}replay/", {"source": "events"})
    assert answer.json() == {"replayed": 2, "failed": 1, "left": 0}
    assert DeadMessage.objects.filter(state="dead").count() == 2


def test_many_are_discarded_by_id(machine: APIClient) -> None:
    messages = [dead() for _ in range(3)]
    answer = machine.post(f"{LIST}discard/", {"ids": [str(each.pk) for each in messages[:2]]})
    assert answer.json() == {"discarded": 2}
    assert machine.post(path(messages[0], "discard")).status_code == 409
    assert machine.post(path(messages[0], "replay")).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": ["x"]}, {"color": "red"}, {"created_after": "never"}]
)
@pytest.mark.parametrize("action", ["replay", "discard"])
def test_a_selection_that_says_nothing_is_refused(
    machine: APIClient, action: str, body: dict[str, Any]
) -> None:
    dead()
    assert machine.post(f"{LIST}{action}/", body).status_code == 400
    assert DeadMessage.objects.filter(state="dead").count() == 1


def test_a_message_that_is_not_there_is_not_found(machine: APIClient) -> None:
    for action in ("", "/replay", "/discard"):
        call = machine.post if action else machine.get
        assert call(f"{LIST}{uuid.uuid4()}{action}/").status_code == 404
