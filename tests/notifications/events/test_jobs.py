"""Runs come to the workers by their jobs, and by the sweep where a job was lost."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from notifications.events import following, jobs, registry, running
from notifications.events.outbox import event_publish
from notifications.jobs import sweep
from notifications.models import Event, HandlerRun
from tests.notifications.events.conftest import event_jobs, queued, run_of

DUE = ("notifications.events.jobs.events_due", ())


def publish() -> Event:
    return event_publish(
        routing_key="stage.freed", payload={"user_id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11"}
    )


def work_in_a_burst() -> None:
    django_rq.get_worker("default").work(burst=True)


def grow_old(seconds: float = 3) -> None:
    """Make what waits older; no worker runs in these tests but in a burst."""
    past = timezone.now() - timedelta(seconds=seconds)
    HandlerRun.objects.filter(status="pending").update(due_at=past)


def test_a_published_event_is_handled_by_a_worker(transactional_db: None, seen: list[Event]) -> None:
    event = publish()
    work_in_a_burst()
    assert seen == [event]
    assert run_of(event).status == "done"


def test_an_event_published_by_a_handler_is_handled_in_turn(transactional_db: None, handlers: None) -> None:
    order: list[str] = []

    @registry.handles("offer.created")
    def first(event: Event) -> None:
        order.append(event.routing_key)
        event_publish(routing_key="weather.changed", payload={})

    @registry.handles("weather.*")
    def second(event: Event) -> None:
        order.append(event.routing_key)

    event_publish(routing_key="offer.created", payload={})
    work_in_a_burst()
    assert order == ["offer.created", "weather.changed"]


@pytest.fixture
def causing(handlers: None) -> list[str]:
    """``offer.created`` causes ``weather.changed``, which has two handlers; who was called, in turn."""
    order: list[str] = []

    @registry.handles("offer.created")
    def first(event: Event) -> None:
        order.append("first")
        event_publish(routing_key="weather.changed", payload={})

    @registry.handles("weather.*")
    def second(event: Event) -> None:
        order.append("second")

    @registry.handles("weather.*")
    def third(event: Event) -> None:
        order.append("third")

    return order


def test_a_job_goes_on_with_what_its_handler_caused_and_leaves_the_rest_to_others(
    transactional_db: None, causing: list[str]
) -> None:
    event = event_publish(routing_key="offer.created", payload={})
    django_rq.get_queue().empty()
    jobs.event_handle(str(run_of(event).pk))
    assert causing == ["first", "second"]
    (left,) = HandlerRun.objects.filter(status="pending")
    assert left.handler.endswith("third")
    assert event_jobs() == [str(left.pk)]
    elsewhere = event_publish(routing_key="offer.created", payload={})
    assert str(run_of(elsewhere).pk) in event_jobs()  # outside of a job nothing is kept from the queue


def test_only_the_last_commit_of_a_chain_is_waited_for(transactional_db: None, causing: list[str]) -> None:
    event = event_publish(routing_key="offer.created", payload={})
    levels: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if "SET status = 'done'" in sql:
            with connection.cursor() as cursor:
                cursor.execute("SHOW synchronous_commit")
                levels.append(cursor.fetchone()[0])
        return answer

    with connection.execute_wrapper(note):
        jobs.event_handle(str(run_of(event).pk))
    assert causing == ["first", "second"]
    assert levels == ["off", "on"]


def test_what_a_lost_worker_would_have_gone_on_with_is_found_by_the_sweep(
    transactional_db: None, causing: list[str]
) -> None:
    event = event_publish(routing_key="offer.created", payload={})
    with following.here() as caused:
        running.run_handle(run_of(event).pk)
        assert caused.next()  # and the worker is lost
    django_rq.get_queue().empty()
    grow_old()
    sweep()
    work_in_a_burst()
    assert sorted(causing) == ["first", "second", "third"]


def test_a_chain_without_end_makes_room_for_others(
    transactional_db: None, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    @registry.handles("offer.created")
    def again(event: Event) -> None:
        event_publish(routing_key="offer.created", payload={})

    monkeypatch.setattr(running, "SLICE_S", 0.05)
    event = event_publish(routing_key="offer.created", payload={})
    django_rq.get_queue().empty()
    jobs.event_handle(str(run_of(event).pk))
    (waiting,) = HandlerRun.objects.filter(status="pending")
    assert event_jobs() == [str(waiting.pk)]
    assert HandlerRun.objects.filter(status="done").count() >= 1


@pytest.mark.slow
def test_a_failing_handler_fails_no_job_and_ends_no_worker(transactional_db: None, seen: list[Event]) -> None:
    @registry.handles("stage.*", attempts=1)
    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    publish()
    work_in_a_burst()
    assert len(seen) == 1
    assert django_rq.get_queue().failed_job_registry.count == 0
    assert set(HandlerRun.objects.values_list("handler", "status")) == {
        ("tests.broken", "dead"),
        ("tests.note", "done"),
    }


def test_a_job_that_comes_twice_changes_nothing(transactional_db: None, seen: list[Event]) -> None:
    event = publish()
    django_rq.get_queue().enqueue(jobs.event_handle, str(run_of(event).pk))
    work_in_a_burst()
    assert seen == [event]


@pytest.mark.slow
def test_a_job_whose_run_is_gone_does_nothing(transactional_db: None, seen: list[Event]) -> None:
    publish()
    Event.objects.all().delete()
    work_in_a_burst()
    assert django_rq.get_queue().failed_job_registry.count == 0


@pytest.mark.slow
def test_runs_that_an_empty_redis_forgot_are_found_by_the_sweep(
    transactional_db: None, redis: Redis, seen: list[Event]
) -> None:
    events = [publish() for _ in range(5)]
    redis.flushdb()
    grow_old()
    sweep()
    work_in_a_burst()
    assert sorted(seen, key=lambda event: event.created_at) == events
    assert set(HandlerRun.objects.values_list("status", "attempts")) == {("done", 1)}


def test_however_often_the_sweep_looks_its_jobs_do_not_pile_up(
    transactional_db: None, redis: Redis, seen: list[Event]
) -> None:
    for _ in range(20):
        publish()
    redis.flushdb()
    grow_old()
    for _ in range(3):
        sweep()
    assert queued().count(DUE) == 1
    assert event_jobs() == []


@pytest.mark.slow
def test_with_nothing_due_the_sweep_queues_nothing(transactional_db: None, seen: list[Event]) -> None:
    publish()
    work_in_a_burst()
    sweep()
    assert DUE not in queued()


@pytest.mark.slow
def test_what_one_slice_leaves_the_next_takes(
    transactional_db: None, redis: Redis, seen: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.events.running.SLICE_S", 0.0)
    for _ in range(5):
        publish()
    redis.flushdb()
    grow_old()
    sweep()
    work_in_a_burst()
    assert len(seen) == 5


@pytest.mark.slow
def test_a_failure_is_tried_again_by_the_sweep_when_its_time_has_come(
    transactional_db: None, handlers: None, settings: Settings
) -> None:
    settings.EVENT_RETRY_WAIT_S = 300
    tries: list[Event] = []

    @registry.handles("stage.*", attempts=3)
    def in_the_end(event: Event) -> None:
        tries.append(event)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    event = publish()
    work_in_a_burst()
    for tried in (1, 2):
        sweep()
        work_in_a_burst()
        assert len(tries) == tried  # not before its time
        grow_old()
        sweep()
        work_in_a_burst()
    assert len(tries) == 3
    assert run_of(event).status == "done"
