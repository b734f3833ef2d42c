"""SPEC 3.3: an event is stored in the transaction that caused it, with a run for each of its handlers."""

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import ApiKey
from accounts.services import api_key_create
from config.rest.exceptions import Conflict
from notifications import metrics
from notifications.events import registry, running
from notifications.events.outbox import event_publish
from notifications.events.payloads import MAX_BYTES
from notifications.handlers.messages import Unaddressed, audience_of
from notifications.models import Event, HandlerRun
from tests.notifications.events.conftest import event_jobs, run_of

STUDENT = {"student_id": str(uuid.UUID(int=7))}
ID = uuid.UUID("0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11")


def publish(**fields: Any) -> Event:
    return event_publish(**{"routing_key": "stage.accepted", "payload": STUDENT, **fields})


def test_it_is_stored_with_what_it_says(db: None, seen: list[Event]) -> None:
    api_key: ApiKey = api_key_create(name="stages", scopes=["events:write"])[0]
    at = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    publish(event_id=ID, source="stage-service", occurred_at=at, published_by=api_key)
    event = Event.objects.get()
    assert (event.pk, event.routing_key, event.payload) == (ID, "stage.accepted", STUDENT)
    assert (event.source, event.occurred_at, event.published_by) == ("stage-service", at, api_key)
    assert event.is_known


def test_the_product_is_its_source_and_now_its_time_unless_said_otherwise(
    db: None, seen: list[Event]
) -> None:
    before = timezone.now()
    event = publish()
    stored = Event.objects.get()
    assert (stored.source, stored.published_by) == ("tocsin", None)
    assert before <= stored.occurred_at == event.occurred_at <= timezone.now()


def test_each_handler_that_wants_it_gets_a_run_and_nobody_else(db: None, seen: list[Event]) -> None:
    registry.handles("#")(everything)
    registry.handles("grade.*")(another)
    event = publish()
    assert set(event.runs.values_list("handler", "status")) == {
        ("tests.note", "pending"),
        ("tests.everything", "pending"),
    }


def everything(event: Event) -> None:
    """Handles all."""


def another(event: Event) -> None:
    """Handles others."""


def test_a_run_becomes_a_job_once_the_transaction_is_committed(
    transactional_db: None, seen: list[Event]
) -> None:
    registry.handles("stage.accepted")(everything)
    with transaction.atomic():
        event = publish()
        assert event_jobs() == []
    assert set(event_jobs()) == {str(run.pk) for run in event.runs.all()}
    assert len(event_jobs()) == 2


def test_what_is_rolled_back_has_not_happened(transactional_db: None, seen: list[Event]) -> None:
    with transaction.atomic():
        publish()
        transaction.set_rollback(True)
    assert (Event.objects.count(), HandlerRun.objects.count(), event_jobs()) == (0, 0, [])


def test_outside_a_transaction_event_and_runs_are_one_all_the_same(
    transactional_db: None, seen: list[Event]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE notifications_handlerrun ADD CONSTRAINT never CHECK (false) NOT VALID")
    try:
        with pytest.raises(Exception, match="never"):
            publish()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE notifications_handlerrun DROP CONSTRAINT never")
    assert Event.objects.count() == 0


def test_publishing_takes_one_query(
    db: None, seen: list[Event], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("one", "two", "three"):
        handler = registry.Handler(name, everything, ("stage.*",), 5)
        registry._add(handler)
    with django_assert_num_queries(1):
        publish()
    assert HandlerRun.objects.count() == 4


def test_without_redis_it_is_stored_and_its_runs_are_found_by_their_rows(
    transactional_db: None, seen: list[Event], settings: Settings
) -> None:
    reachable, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/redis.sock"
    event = publish()
    settings.REDIS_URL = reachable
    assert event_jobs() == []
    running.due_runs_handle(clock=lambda: timezone.now() + running.OWN_JOB)
    assert seen == [event]
    assert run_of(event).status == "done"


# --- Idempotent on the publisher's id ------------------------------------------------------------


def test_the_same_event_again_is_the_one_that_is_there(transactional_db: None, seen: list[Event]) -> None:
    first, again = publish(event_id=ID), publish(event_id=ID)
    assert first == again
    assert first.created_at == again.created_at
    assert (Event.objects.count(), HandlerRun.objects.count(), len(event_jobs())) == (1, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"routing_key": "stage.rejected"},
        {"payload": {**STUDENT, "title": "Cardiology"}},
        {"source": "elsewhere"},
        {"occurred_at": datetime(2026, 3, 1, tzinfo=UTC)},
    ],
)
def test_its_id_with_other_content_is_a_conflict_and_changes_nothing(
    db: None, seen: list[Event], other: dict[str, Any]
) -> None:
    publish(event_id=ID)
    before = Event.objects.values().get()
    with pytest.raises(Conflict, match="published before, with other content"):
        publish(event_id=ID, **other)
    assert Event.objects.values().get() == before


@pytest.mark.parametrize("number", [1e308, 1e-300, -0.0, 10**30, 0.1, 1.0])
def test_numbers_that_postgres_writes_otherwise_are_no_other_content(
    db: None, seen: list[Event], number: float
) -> None:
    payload = {**STUDENT, "number": number}
    assert publish(event_id=ID, payload=payload) == publish(event_id=ID, payload=payload)


def test_a_conflict_leaves_the_callers_transaction_usable(db: None, seen: list[Event]) -> None:
    publish(event_id=ID)
    with transaction.atomic():
        with pytest.raises(Conflict):
            publish(event_id=ID, routing_key="stage.rejected")
        publish()
    assert Event.objects.count() == 2


def test_of_many_at_the_same_instant_one_is_stored(transactional_db: None, seen: list[Event]) -> None:
    barrier, found = threading.Barrier(8), []

    def one() -> None:
        barrier.wait(30)
        found.append(publish(event_id=ID).pk)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ID] * 8
    assert (Event.objects.count(), HandlerRun.objects.count()) == (1, 1)


# --- Unknown keys ----------------------------------------------------------------------------------


def test_an_unknown_key_is_stored_and_reported(
    transactional_db: None, seen: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    metrics.flush()
    before = metrics.totals()
    event = publish(routing_key="weather.changed", payload={"sky": "blue"}, source="weather-service")
    metrics.flush()
    assert not Event.objects.get().is_known
    assert HandlerRun.objects.count() == 0
    (record,) = [each for each in caplog.records if "event_unknown" in each.getMessage()]
    assert record.levelname == "WARNING"
    assert str(event.pk) in record.getMessage()
    assert metrics.totals()["events", "false"] - before.get(("events", "false"), 0) == 1


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("routing_key", ""),
        ("routing_key", "stage..accepted"),
        ("routing_key", "stage.*"),
        ("routing_key", "stage accepted"),
        ("routing_key", "x" * 256),
        ("source", ""),
        ("source", "x" * 101),
        ("source", "a\x00b"),
        ("source", "a\nb"),
        ("payload", []),
        ("payload", None),
        ("payload", {**STUDENT, "text": "a\x00b"}),
        ("payload", {**STUDENT, "a\x00b": 1}),
        ("payload", {**STUDENT, "text": "\\\x00"}),
        ("payload", {**STUDENT, "text": "\ud800"}),
        ("payload", {**STUDENT, "number": float("nan")}),
        ("payload", {**STUDENT, "number": float("inf")}),
        ("payload", {**STUDENT, "number": 10**5000}),
        ("payload", {**STUDENT, "when": datetime(2026, 1, 1)}),
        ("payload", {**STUDENT, "text": "é" * (MAX_BYTES // 2)}),
        ("payload", {}),
        ("payload", {"title": "nobody is named"}),
        ("payload", {"user_id": "Ana"}),
        ("payload", {"user_id": 7}),
        ("payload", {"user_id": None}),
        ("payload", {**STUDENT, "user_id": "Ana"}),
        ("payload", {"encadrant_id": str(ID)}),
        ("payload", {"student_ids": []}),
        ("payload", {"student_ids": str(ID)}),
        ("payload", {"user_ids": [str(ID), "Ana"]}),
    ],
)
def test_what_can_not_be_stored_or_handled_is_refused_by_its_field(
    db: None, seen: list[Event], field: str, value: Any
) -> None:
    with pytest.raises(ValidationError) as refused:
        publish(**{field: value})
    assert list(refused.value.message_dict) == [field]
    assert Event.objects.count() == 0


def test_it_can_not_be_nested_without_end(db: None, seen: list[Event]) -> None:
    payload: dict[str, Any] = dict(STUDENT)
    for _ in range(100_000):
        payload = {"in": payload}
    with pytest.raises(ValidationError):
        publish(payload=payload)


@pytest.mark.parametrize(
    "payload",
    [
        {"user_id": str(ID)},
        {"user_id": str(ID).upper()},
        {"user_ids": [str(ID)]},
        {**STUDENT, "encadrant_id": "anything"},
        {**STUDENT, "user_id": None},
        {**STUDENT, "text": "a\\u0000b"},
        {**STUDENT, "text": 'é 😀 " \\ \n'},
        {**STUDENT, "text": "x" * (MAX_BYTES - 100)},
    ],
)
def test_and_these_are_not(db: None, seen: list[Event], payload: dict[str, Any]) -> None:
    publish(payload=payload)
    assert Event.objects.get().payload == payload


@pytest.mark.parametrize(
    "key", ["auth.cleaned", "weather.changed", "grade.changed", "stage.place.freed", "offer.created"]
)
def test_what_nobody_is_told_of_or_everybody_need_not_name_anyone(
    db: None, seen: list[Event], key: str
) -> None:
    publish(routing_key=key, payload={})
    assert Event.objects.get().payload == {}


def test_an_offer_names_people_in_the_right_way_or_not_at_all(db: None, seen: list[Event]) -> None:
    with pytest.raises(ValidationError):
        publish(routing_key="offer.created", payload={"student_ids": ["Ana"]})


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("stage.accepted", "user_id"),
        ("stage.accepted", "student_id"),
        ("stage.accepted", "user_ids"),
        ("grade.assigned", "student_ids"),
        ("evaluation.created", "student_id"),
        ("student.updated", "student_id"),
        ("encadrant.updated", "encadrant_id"),
    ],
)
def test_whoever_may_be_named_is_whom_the_handler_looks_for(
    db: None, handlers: None, key: str, field: str
) -> None:
    """What is published passes; and what passes is refused by the handler only since there is nobody."""
    event = publish(routing_key=key, payload={field: [str(ID)] if field.endswith("s") else str(ID)})
    with pytest.raises(Unaddressed, match="There is no one with this"):
        audience_of(event)


def test_a_time_of_its_own_can_lie_in_the_past(db: None, seen: list[Event]) -> None:
    long_ago = timezone.now() - timedelta(days=1000)
    assert publish(occurred_at=long_ago).occurred_at == long_ago
