"""Publishing events over HTTP, and seeing what became of them."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from notifications.events import registry, topics
from notifications.events.outbox import event_publish
from notifications.models import Event, HandlerRun

LogIn = Callable[[User], APIClient]
Machine = Callable[..., APIClient]
PATH = "/api/v1/events/"
ID = "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"
PAYLOAD = {"student_id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "title": "Cardiology"}
META = {
    "timestamp": "2025-12-13T19:27:02.415000Z",
    "routing_key": "stage.accepted",
    "source": "stage-service",
    "event_id": ID,
}
FLAT = {**META, "payload": PAYLOAD}
ENVELOPE = {"payload": PAYLOAD, "_meta": META}


@pytest.fixture(autouse=True)
def _only_the_cast_of_this_test(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """One handler, of ``stage.*``, and no events of the people whom the test makes."""
    monkeypatch.setattr(registry, "_handlers", {})

    @registry.handles("stage.*")
    def note(event: Event) -> None:
        """Does nothing."""


@pytest.fixture
def publisher(as_machine: Machine) -> APIClient:
    return as_machine("events:write")


@pytest.fixture
def reader(as_machine: Machine) -> APIClient:
    return as_machine("events:read")


def make(key: str = "weather.changed", **fields: Any) -> Event:
    return Event.objects.create(
        **{"routing_key": key, "source": "x", "occurred_at": timezone.now(), **fields}
    )


def forget() -> None:
    """Forget the events that making the cast has made."""
    Event.objects.all().delete()


# --- Publishing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [FLAT, ENVELOPE], ids=["flat", "envelope"])
def test_an_event_is_stored_and_answered_with_what_will_handle_it(
    publisher: APIClient, body: dict[str, Any]
) -> None:
    answer = publisher.post(PATH, body)
    assert answer.status_code == 201, answer.content
    event, run = Event.objects.get(), HandlerRun.objects.get()
    assert (str(event.pk), event.routing_key, event.payload) == (ID, "stage.accepted", PAYLOAD)
    assert event.occurred_at == datetime(2025, 12, 13, 19, 27, 2, 415000, tzinfo=UTC)
    assert event.published_by is not None
    said = answer.json()
    (handler,) = said.pop("handlers")
    assert said == {
        "id": ID,
        "payload": PAYLOAD,
        "_meta": META,
        "is_known": True,
        "created_at": event.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (handler["id"], handler["handler"], handler["status"]) == (str(run.pk), "tests.note", "pending")


def test_the_slash_at_the_end_is_optional(publisher: APIClient) -> None:
    assert publisher.post(PATH.removesuffix("/"), FLAT).status_code == 201


@pytest.mark.parametrize("again", [FLAT, ENVELOPE], ids=["flat", "envelope"])
def test_the_same_again_is_answered_alike_and_stored_once(
    publisher: APIClient, again: dict[str, Any]
) -> None:
    first = publisher.post(PATH, FLAT)
    second = publisher.post(PATH, again)
    assert (second.status_code, second.json()) == (200, first.json())
    assert (Event.objects.count(), HandlerRun.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"routing_key": "stage.rejected"},
        {"payload": {**PAYLOAD, "title": "Surgery"}},
        {"timestamp": "2025-12-13T19:27:03Z"},
        {"source": "elsewhere"},
    ],
)
def test_its_id_with_other_content_is_a_conflict(publisher: APIClient, other: dict[str, Any]) -> None:
    publisher.post(PATH, FLAT)
    refused = publisher.post(PATH, {**FLAT, **other})
    assert refused.status_code == 409
    assert refused.json() == {
        "detail": "An event with this event_id was published before, with other content."
    }


def test_only_key_and_payload_are_needed(publisher: APIClient) -> None:
    before = timezone.now()
    for body in (
        {"routing_key": "stage.accepted", "payload": PAYLOAD},
        {"payload": PAYLOAD, "_meta": {"routing_key": "stage.accepted"}},
    ):
        answer = publisher.post(PATH, body)
        assert answer.status_code == 201
        event = Event.objects.get(pk=answer.json()["id"])
        assert event.source == "a machine"  # the key's name
        assert before <= event.occurred_at <= timezone.now()
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00", "2026-01-31T10:00:00+00:00"),
        ("2026-01-31T10:00:00.123456+02:00", "2026-01-31T08:00:00.123456+00:00"),
    ],
)
def test_times_are_iso_8601_and_utc_unless_they_say_otherwise(
    publisher: APIClient, written: str, meant: str
) -> None:
    assert publisher.post(PATH, {**FLAT, "timestamp": written}).status_code == 201
    assert Event.objects.get().occurred_at.isoformat() == meant


@pytest.mark.parametrize("key", ["weather.changed", "student.flew", "student.acepted", "encadrant.x-1"])
def test_an_unknown_key_is_stored_and_said_to_be(publisher: APIClient, key: str) -> None:
    answer = publisher.post(PATH, {"routing_key": key, "payload": {}})
    assert answer.status_code == 201
    assert (answer.json()["is_known"], answer.json()["handlers"]) == (False, [])


def test_staff_may_publish(as_user: LogIn, operator: User) -> None:
    forget()
    assert as_user(operator).post(PATH, {"routing_key": "a.b", "payload": {}}).status_code == 201
    event = Event.objects.get()
    assert (event.source, event.published_by) == ("api", None)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["auth", "auth.user.created", "auth.user.deleted", "auth.anything.at.all"])
def test_what_only_this_service_can_know_nobody_else_may_say(
    publisher: APIClient, as_user: LogIn, operator: User, key: str
) -> None:
    forget()
    for client in (publisher, as_user(operator)):
        refused = client.post(PATH, {**FLAT, "routing_key": key})
        assert refused.status_code == 400
        assert refused.json() == {
            "routing_key": ["Only this service publishes auth.* events; choose another key."]
        }
        assert client.post(PATH, {"payload": {}, "_meta": {"routing_key": key}}).status_code == 400
    assert Event.objects.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("routing_key", None),
        ("routing_key", ""),
        ("routing_key", 5),
        ("routing_key", ["stage.accepted"]),
        ("routing_key", "stage.*"),
        ("routing_key", "stage..accepted"),
        ("routing_key", " stage.accepted"),
        ("routing_key", "stage.accepted\n"),
        ("routing_key", "x" * 256),
        ("payload", None),
        ("payload", "text"),
        ("payload", [PAYLOAD]),
        ("payload", {"title": "nobody is named"}),
        ("payload", {"student_id": "Ana"}),
        ("payload", {**PAYLOAD, "title": "a\x00b"}),
        ("payload", {**PAYLOAD, "title": "x" * 300_000}),
        ("source", None),
        ("source", ""),
        ("source", 7),
        ("source", "x" * 101),
        ("source", "a\x00b"),
        ("timestamp", None),
        ("timestamp", ""),
        ("timestamp", "yesterday"),
        ("timestamp", 1765654022),
        ("timestamp", True),
        ("timestamp", "1969-12-31T23:59:59Z"),
        ("timestamp", "2100-01-01T00:00:00Z"),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("timestamp", "9999-12-31T23:59:59-14:00"),
        ("event_id", None),
        ("event_id", ""),
        ("event_id", "x"),
        ("event_id", 7),
    ],
)
def test_a_bad_field_is_refused_by_its_name(publisher: APIClient, field: str, value: object) -> None:
    refused = publisher.post(PATH, {**FLAT, field: value})
    assert refused.status_code == 400
    assert list(refused.json()) == [field]
    if field != "payload":
        refused = publisher.post(PATH, {"payload": PAYLOAD, "_meta": {**META, field: value}})
        assert refused.status_code == 400
    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "stage.accepted",
        {"payload": PAYLOAD},
        {"routing_key": "stage.accepted"},
        {"_meta": META},
        {"payload": PAYLOAD, "_meta": {}},
        {"payload": PAYLOAD, "_meta": None},
        {"payload": PAYLOAD, "_meta": "stage.accepted"},
        {"payload": PAYLOAD, "_meta": [META]},
        {**ENVELOPE, "routing_key": "stage.accepted"},
        {**ENVELOPE, "event_id": ID},
    ],
)
def test_neither_form_whole_is_refused(publisher: APIClient, body: object) -> None:
    assert publisher.post(PATH, body).status_code == 400
    assert Event.objects.count() == 0


def test_the_envelopes_faults_are_named_within_it(publisher: APIClient) -> None:
    refused = publisher.post(PATH, {"payload": PAYLOAD, "_meta": {"routing_key": "stage accepted"}})
    assert refused.json() == {"_meta": [f"routing_key: {topics.KEY_MESSAGE}"]}


def test_not_json_is_refused(publisher: APIClient) -> None:
    for body in (b"{", b'{"payload": NaN}', b'{"payload": {"n": 1e999}}', b"\xff"):
        assert publisher.post(PATH, body, content_type="application/json").status_code == 400


# --- Looking -----------------------------------------------------------------------------------------


def ids(client: APIClient, query: str = "") -> list[str]:
    response = client.get(f"{PATH}{query}")
    assert response.status_code == 200, response.content
    return [each["id"] for each in response.json()["results"]]


def test_they_are_listed_newest_first_in_pages_whatever_their_ids(reader: APIClient) -> None:
    now = timezone.now()
    made = [
        str(make(id=uuid.uuid4(), created_at=now - timedelta(seconds=number // 2)).pk) for number in range(7)
    ]
    path, seen = f"{PATH}?page_size=2", []
    while path:
        page = reader.get(path).json()
        seen += [each["id"] for each in page["results"]]
        path = page["next"]
    assert sorted(seen) == sorted(made)
    assert {made.index(each) // 2 for each in seen[:2]} == {0}
    assert seen[-1] == made[-1]


def test_listing_takes_the_same_number_of_queries_for_any_number(
    reader: APIClient, django_assert_num_queries: Any
) -> None:
    reader.get(PATH)
    for _ in range(10):
        event_publish(routing_key="stage.accepted", payload=PAYLOAD)
    with django_assert_num_queries(3):  # the key, the page, the runs
        assert len(ids(reader)) == 10


def test_they_can_be_narrowed_down(reader: APIClient) -> None:
    now = timezone.now()
    old = make("stage.accepted", source="stages", created_at=now - timedelta(days=3))
    deep = make("stage.place.freed", is_known=False, created_at=now - timedelta(seconds=3))
    bare = make("stage", created_at=now - timedelta(seconds=2))
    other = make("backstage.accepted", created_at=now - timedelta(seconds=1))
    yesterday = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for query, expected in [
        ("", [other, bare, deep, old]),
        ("routing_key=stage.accepted", [old]),
        ("routing_key=stage.*", [old]),
        ("routing_key=stage.%23", [bare, deep, old]),
        ("routing_key=*.accepted", [other, old]),
        ("routing_key=%23.accepted", [other, old]),
        ("routing_key=%23", [other, bare, deep, old]),
        ("routing_key=%23.place.%23", [deep]),
        ("routing_key=nothing.*", []),
        ("source=stages", [old]),
        ("is_known=false", [deep]),
        ("is_known=true", [other, bare, old]),
        (f"created_after={yesterday}", [other, bare, deep]),
        (f"created_before={yesterday}", [old]),
        (f"routing_key=stage.%23&created_after={yesterday}", [bare, deep]),
    ]:
        assert ids(reader, f"?{query}") == [str(each.pk) for each in expected], query


@pytest.mark.parametrize(
    "query",
    [
        "routing_key=",
        "routing_key=a..b",
        "routing_key=st*",
        "routing_key=%00",
        "routing_key=" + "x" * 256,
        "source=",
        "source=%00",
        "source=" + "x" * 101,
        "is_known=",
        "is_known=1",
        "is_known=maybe",
        "created_after=x",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "from=2026-01-31",
        "cursor=%00",
        "page_size=0",
    ],
)
def test_a_bad_query_is_refused(reader: APIClient, query: str) -> None:
    assert reader.get(f"{PATH}?{query}").status_code == 400


def test_one_event_shows_each_handlers_run(reader: APIClient, django_assert_num_queries: Any) -> None:
    event = make(payload={"sky": "blue"})
    at = timezone.now()
    HandlerRun.objects.create(
        event=event, handler="a.failed", status="dead", attempts=5, error="RuntimeError: no", finished_at=at
    )
    HandlerRun.objects.create(event=event, handler="a.well", status="done", attempts=1, finished_at=at)
    reader.get(PATH)
    with django_assert_num_queries(3):  # the key, the event, the runs
        answer = reader.get(f"{PATH}{event.pk}/")
    assert answer.json()["payload"] == {"sky": "blue"}
    assert [
        (run["handler"], run["status"], run["attempts"], run["error"]) for run in answer.json()["handlers"]
    ] == [
        ("a.failed", "dead", 5, "RuntimeError: no"),
        ("a.well", "done", 1, ""),
    ]


# --- Replaying ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, None], ids=["empty", "none"])
def test_its_dead_letters_are_replayed(publisher: APIClient, body: object) -> None:
    event = make("stage.accepted", payload=PAYLOAD)
    HandlerRun.objects.create(event=event, handler="tests.note", status="dead", attempts=5)
    answer = publisher.post(f"{PATH}{event.pk}/replay/", body)
    assert answer.status_code == 200
    (run,) = answer.json()["handlers"]
    assert (run["status"], run["attempts"], run["replays"]) == ("pending", 0, 1)
    assert publisher.post(f"{PATH}{event.pk}/replay/", {}).status_code == 409


def test_what_is_done_is_replayed_when_it_is_named(publisher: APIClient) -> None:
    event = make("stage.accepted", payload=PAYLOAD)
    HandlerRun.objects.create(event=event, handler="tests.note", status="done", attempts=1)
    refused = publisher.post(f"{PATH}{event.pk}/replay/", {})
    assert refused.status_code == 409
    assert refused.json() == {
        "detail": "It has no dead letter and no new handler; name the handlers to run again."
    }
    answer = publisher.post(f"{PATH}{event.pk}/replay/", {"handlers": ["tests.note"]})
    assert answer.status_code == 200
    (run,) = answer.json()["handlers"]
    assert (run["status"], run["attempts"], run["replays"]) == ("pending", 0, 1)


@pytest.mark.parametrize(
    "body",
    [
        {"handlers": []},
        {"handlers": None},
        {"handlers": "tests.note"},
        {"handlers": [5]},
        {"handlers": [""]},
        {"handlers": ["tests.nobody"]},
        {"handlers": ["tests.note", "x" * 101]},
        {"handlers": ["a\x00b"]},
        [],
        "tests.note",
    ],
)
def test_a_bad_choice_of_handlers_is_refused(publisher: APIClient, body: object) -> None:
    event = make("stage.accepted", payload=PAYLOAD)
    HandlerRun.objects.create(event=event, handler="tests.note", status="dead")
    assert publisher.post(f"{PATH}{event.pk}/replay/", body).status_code == 400
    assert HandlerRun.objects.get().status == "dead"


# --- Strangers -----------------------------------------------------------------------------------------


def test_a_stranger_sees_and_does_nothing(
    as_user: LogIn, stranger: User, anonymous: APIClient, as_machine: Machine
) -> None:
    forget()
    event = make("stage.accepted", payload=PAYLOAD)
    HandlerRun.objects.create(event=event, handler="tests.note", status="dead")
    outsiders = [(as_user(stranger), 403), (anonymous, 401), (as_machine("alerts:write"), 403)]
    for client, code in outsiders:
        answers = [
            client.get(PATH),
            client.post(PATH, FLAT),
            client.get(f"{PATH}{event.pk}/"),
            client.get(f"{PATH}{uuid.uuid4()}/"),
            client.post(f"{PATH}{event.pk}/replay/", {}),
        ]
        assert [answer.status_code for answer in answers] == [code] * 5
    assert Event.objects.count() == 1
    assert HandlerRun.objects.get().status == "dead"


def test_even_an_event_about_oneself_is_not_ones_own(as_user: LogIn, owner: User) -> None:
    event = make("student.created", payload={"user_id": str(owner.pk)})
    assert as_user(owner).get(f"{PATH}{event.pk}/").status_code == 403


def test_reading_and_writing_are_scopes_of_their_own(publisher: APIClient, reader: APIClient) -> None:
    event = make()
    assert publisher.get(PATH).status_code == 403
    assert publisher.get(f"{PATH}{event.pk}/").status_code == 403
    assert reader.post(PATH, FLAT).status_code == 403
    assert reader.post(f"{PATH}{event.pk}/replay/", {}).status_code == 403


def test_an_event_that_is_not_there_is_not_found(publisher: APIClient, reader: APIClient) -> None:
    assert reader.get(f"{PATH}{uuid.uuid4()}/").status_code == 404
    assert publisher.post(f"{PATH}{uuid.uuid4()}/replay/", {}).status_code == 404
