"""What handlers gave up: listed, and replayed one by one or many at once."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications.models import Event, HandlerRun

LogIn = Callable[[User], APIClient]
Machine = Callable[..., APIClient]
PATH = "/api/v1/dead-letters/"


@pytest.fixture
def reader(as_machine: Machine) -> APIClient:
    return as_machine("events:read")


@pytest.fixture
def writer(as_machine: Machine) -> APIClient:
    return as_machine("events:write")


def make(key: str = "stage.accepted", handler: str = "a.handler", status: str = "dead") -> HandlerRun:
    event = Event.objects.create(routing_key=key, source="stages", occurred_at=timezone.now())
    return HandlerRun.objects.create(
        event=event, handler=handler, status=status, attempts=5, error="RuntimeError: no"
    )


def ids(client: APIClient, query: str = "") -> list[str]:
    response = client.get(f"{PATH}{query}")
    assert response.status_code == 200, response.content
    return [each["id"] for each in response.json()["results"]]


def dead() -> set[HandlerRun]:
    return set(HandlerRun.objects.filter(status="dead"))


def test_they_are_listed_newest_first_in_pages(reader: APIClient) -> None:
    made = [str(make().pk) for _ in range(5)]
    path, seen = f"{PATH}?page_size=2", []
    while path:
        page = reader.get(path).json()
        seen += [each["id"] for each in page["results"]]
        path = page["next"]
    assert seen == made[::-1]


def test_each_says_what_was_given_up_and_why(reader: APIClient) -> None:
    run = make()
    (said,) = reader.get(PATH).json()["results"]
    assert {name: said[name] for name in ("id", "handler", "status", "attempts", "replays", "error")} == {
        "id": str(run.pk),
        "handler": "a.handler",
        "status": "dead",
        "attempts": 5,
        "replays": 0,
        "error": "RuntimeError: no",
    }
    assert (said["event_id"], said["routing_key"], said["source"]) == (
        str(run.event_id),
        "stage.accepted",
        "stages",
    )


def test_what_waits_or_is_done_is_none(reader: APIClient) -> None:
    make(status="pending"), make(status="done")
    assert ids(reader) == []


def test_listing_takes_the_same_number_of_queries_for_any_number(
    reader: APIClient, django_assert_num_queries: Any
) -> None:
    reader.get(PATH)
    for _ in range(10):
        make()
    with django_assert_num_queries(2):  # the key, and the page
        assert len(ids(reader)) == 10


def test_they_can_be_narrowed_down(reader: APIClient) -> None:
    one, two = make(), make("grade.assigned", "another.handler")
    for query, expected in [
        ("handler=a.handler", [one]),
        ("routing_key=grade.assigned", [two]),
        ("routing_key=*.assigned", [two]),
        ("routing_key=%23", [two, one]),
        ("routing_key=stage", []),
        (f"event={one.event_id}", [one]),
        ("handler=a.handler&routing_key=grade.%23", []),
    ]:
        assert ids(reader, f"?{query}") == [str(each.pk) for each in expected], query


@pytest.mark.parametrize(
    "query",
    [
        "handler=",
        "handler=%00",
        "handler=" + "x" * 101,
        "routing_key=a*",
        "event=x",
        "status=done",
        "page_size=x",
    ],
)
def test_a_bad_query_is_refused(reader: APIClient, query: str) -> None:
    assert reader.get(f"{PATH}?{query}").status_code == 400


def test_one_is_replayed_with_a_full_budget(writer: APIClient) -> None:
    run = make()
    answer = writer.post(f"{PATH}{run.pk}/replay/")
    assert answer.status_code == 200
    said = answer.json()
    assert (said["id"], said["status"], said["attempts"], said["replays"]) == (str(run.pk), "pending", 0, 1)
    again = writer.post(f"{PATH}{run.pk}/replay/")
    assert again.status_code == 409
    assert again.json() == {"detail": "Only a dead letter can be replayed; this one is pending."}


def test_what_is_done_is_no_dead_letter(writer: APIClient) -> None:
    run = make(status="done")
    assert writer.post(f"{PATH}{run.pk}/replay/").status_code == 409
    assert HandlerRun.objects.get().status == "done"


def test_many_are_replayed_by_their_ids(writer: APIClient) -> None:
    chosen, left, done = [make() for _ in range(3)], make(), make(status="done")
    body = {"ids": [str(each.pk) for each in [*chosen, done]]}
    answer = writer.post(f"{PATH}replay/", body)
    assert (answer.status_code, answer.json()) == (200, {"replayed": 3})
    assert dead() == {left}


@pytest.mark.parametrize(
    "choice",
    [
        {"handler": "a.handler"},
        {"routing_key": "stage.*"},
        {"handler": "a.handler", "routing_key": "stage.#"},
    ],
)
def test_many_are_replayed_by_a_filter(writer: APIClient, choice: dict[str, str]) -> None:
    make(), make()
    left = make("grade.assigned", "another.handler")
    assert writer.post(f"{PATH}replay", choice).json() == {"replayed": 2}
    assert dead() == {left}


def test_those_of_one_event_are_replayed(writer: APIClient) -> None:
    run, left = make(), make()
    assert writer.post(f"{PATH}replay/", {"event": str(run.event_id)}).json() == {"replayed": 1}
    assert dead() == {left}


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": "all"},
        {"ids": [1]},
        {"ids": ["x"]},
        {"ids": None},
        {"ids": [str(uuid.uuid4())], "handler": "a.handler"},
        {"handler": ""},
        {"handler": 1},
        {"handler": "a\x00b"},
        {"handlr": "a.handler"},
        {"handler": "a.handler", "routing_kee": "x"},
        {"routing_key": "a..b"},
        {"routing_key": "a*"},
        {"routing_key": 5},
        {"event": "x"},
        [],
        None,
        "all",
    ],
)
def test_a_bad_choice_of_many_is_refused_and_replays_nothing(writer: APIClient, body: object) -> None:
    run = make()
    assert writer.post(f"{PATH}replay/", body).status_code == 400
    assert dead() == {run}


def test_a_stranger_sees_and_does_nothing(
    as_user: LogIn, stranger: User, anonymous: APIClient, as_machine: Machine
) -> None:
    run = make()
    outsiders = [(as_user(stranger), 403), (anonymous, 401), (as_machine("alerts:write"), 403)]
    for client, code in outsiders:
        answers = [
            client.get(PATH),
            client.post(f"{PATH}{run.pk}/replay/"),
            client.post(f"{PATH}{uuid.uuid4()}/replay/"),
            client.post(f"{PATH}replay/", {"ids": [str(run.pk)]}),
        ]
        assert [answer.status_code for answer in answers] == [code] * 4
    assert dead() == {run}


def test_reading_and_replaying_are_scopes_of_their_own(reader: APIClient, writer: APIClient) -> None:
    run = make()
    assert writer.get(PATH).status_code == 403
    assert reader.post(f"{PATH}{run.pk}/replay/").status_code == 403
    assert reader.post(f"{PATH}replay/", {"handler": "a.handler"}).status_code == 403


def test_staff_may_do_both(as_user: LogIn, operator: User) -> None:
    run, client = make(), as_user(operator)
    assert str(run.pk) in ids(client)
    assert client.post(f"{PATH}{run.pk}/replay/").status_code == 200


def test_one_that_is_not_there_is_not_found(writer: APIClient) -> None:
    assert writer.post(f"{PATH}{uuid.uuid4()}/replay/").status_code == 404
