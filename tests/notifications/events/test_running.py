"""SPEC 3.2, 3.3: handlers run exactly once in effect, are retried with backoff, and end as dead letters."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import Membership, Shop
from notifications.events import registry, running
from notifications.events.outbox import event_publish
from notifications.models import Event, HandlerRun
from tests.clock import Clock
from tests.factories import ShopFactory
from tests.notifications.events.conftest import any_due, run_of

# Often enough for a race to show.
COUNT = 40


def publish() -> Event:
    return event_publish(routing_key="grade.assigned", payload={"user_id": str(uuid.uuid4()), "grade": 17})


def open_a_shop(event: Event) -> None:
    """An effect that can be counted."""
    ShopFactory(name=f"{event.pk}")


def fail(event: Event) -> None:
    ShopFactory()
    raise RuntimeError("no such grade")


def handle(function: Callable[[Event], None], *, attempts: int = 5) -> None:
    registry.handles("grade.*", attempts=attempts)(function)


def error_logs(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


# --- Exactly once ------------------------------------------------------------------------------------


def test_a_handler_is_given_the_event_and_its_run_is_done(db: None, handlers: None) -> None:
    given: list[Event] = []
    handle(_named("note", given.append))
    event = publish()
    assert running.run_handle(run_of(event).pk)
    stored = Event.objects.get()
    (seen,) = given
    assert seen == stored
    for field in Event._meta.concrete_fields:
        assert getattr(seen, field.attname) == getattr(stored, field.attname), field.attname
    run = run_of(event)
    assert (run.status, run.attempts, run.error) == ("done", 1, "")
    assert run.finished_at is not None


def _named(name: str, function: Callable[[Event], None]) -> Callable[[Event], None]:
    def handler(event: Event) -> None:
        function(event)

    handler.__name__ = name
    return handler


def test_run_again_it_does_nothing(db: None, handlers: None, clock: Clock) -> None:
    handle(open_a_shop)
    run = run_of(publish())
    assert running.run_handle(run.pk)
    clock.forward(3600)
    assert not running.run_handle(run.pk, clock=clock)
    assert not running.due_runs_handle(clock=clock)
    assert Shop.objects.count() == 1


def test_of_two_workers_with_the_same_run_one_runs_it(
    transactional_db: None, handlers: None, clock: Clock
) -> None:
    inside, go_on, started = threading.Event(), threading.Event(), []

    def slow(event: Event) -> None:
        started.append(event)
        open_a_shop(event)
        inside.set()
        assert go_on.wait(60)

    handle(slow)
    run = run_of(publish())

    def work() -> None:
        running.run_handle(run.pk)
        connection.close()

    first = threading.Thread(target=work)
    first.start()
    assert inside.wait(60)
    clock.forward(3600)  # long after the claim has run out: it is the row's lock that keeps others off
    try:
        assert not running.run_handle(run.pk, clock=clock)
        assert not running.due_runs_handle(clock=clock)
    finally:
        go_on.set()
        first.join()
    assert len(started) == 1
    assert Shop.objects.count() == 1
    assert HandlerRun.objects.get(pk=run.pk).attempts == 1


@pytest.mark.slow
def test_of_many_workers_at_the_same_instant_one_runs_it(transactional_db: None, handlers: None) -> None:
    handle(open_a_shop)
    runs = [run_of(publish()).pk for _ in range(COUNT)]
    barrier, taken = threading.Barrier(6), []

    def work() -> None:
        for run in runs:
            barrier.wait(60)
            taken.append(running.run_handle(run))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == COUNT
    assert Shop.objects.count() == COUNT
    assert set(HandlerRun.objects.values_list("status", "attempts")) == {("done", 1)}


def test_whoever_was_overtaken_between_claim_and_lock_does_nothing(
    db: None, handlers: None, clock: Clock
) -> None:
    handle(open_a_shop)
    run = run_of(publish())
    slow = running._claim(running._THIS_ONE, clock(), run=run.pk)
    assert slow is not None
    clock.forward(running.CLAIM.total_seconds())
    overtaker = running._claim(running._THIS_ONE, clock(), run=run.pk)
    assert overtaker is not None
    running._run(slow, clock)
    assert Shop.objects.count() == 0
    running._run(overtaker, clock)
    assert Shop.objects.count() == 1


def test_one_run_takes_these_queries_beside_the_handlers_own(
    transactional_db: None, handlers: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    handle(_named("nothing", lambda event: None))
    run = run_of(publish())
    with django_assert_num_queries(5):  # claim, BEGIN, lock, done, COMMIT
        running.run_handle(run.pk)


# --- Failures --------------------------------------------------------------------------------------


def test_what_a_failing_handler_did_is_undone_and_its_failure_kept(
    db: None, handlers: None, clock: Clock
) -> None:
    handle(fail)
    event = publish()
    before = clock()
    assert running.run_handle(run_of(event).pk, clock=clock)
    run = run_of(event)
    assert Shop.objects.count() == 0
    assert (run.status, run.attempts, run.error) == ("pending", 1, "RuntimeError: no such grade")
    assert before + timedelta(seconds=2) <= run.due_at <= clock() + timedelta(seconds=4)


def test_before_its_time_it_is_not_tried_again(
    db: None, handlers: None, clock: Clock, settings: Settings
) -> None:
    settings.EVENT_RETRY_WAIT_S = 300
    handle(fail)
    event = publish()
    running.run_handle(run_of(event).pk, clock=clock)
    assert not running.run_handle(run_of(event).pk, clock=clock)
    assert not any_due(clock())
    assert run_of(event).attempts == 1
    clock.forward(600)
    assert any_due(clock())
    running.due_runs_handle(clock=clock)
    assert run_of(event).attempts == 2


def test_after_its_attempts_it_is_a_dead_letter_and_logged_as_an_error(
    db: None, handlers: None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    handle(fail, attempts=3)
    event = publish()
    for attempt in (1, 2, 3):
        assert run_of(event).status == "pending"
        assert error_logs(caplog) == []
        running.run_handle(run_of(event).pk, clock=clock)
        assert run_of(event).attempts == attempt
        clock.forward(700)
    run = run_of(event)
    assert (run.status, run.error) == ("dead", "RuntimeError: no such grade")
    (logged,) = error_logs(caplog)
    assert "event_dead" in logged
    assert str(run.pk) in logged
    assert not running.run_handle(run.pk, clock=clock)
    assert not any_due(clock())


def test_a_handler_that_comes_good_is_done(db: None, handlers: None, clock: Clock) -> None:
    failures = [RuntimeError("not yet"), RuntimeError("not yet")]

    def in_the_end(event: Event) -> None:
        if failures:
            raise failures.pop()
        open_a_shop(event)

    handle(in_the_end, attempts=3)
    event = publish()
    for _ in range(3):
        running.run_handle(run_of(event).pk, clock=clock)
        clock.forward(700)
    run = run_of(event)
    assert (run.status, run.attempts, run.error) == ("done", 3, "")
    assert Shop.objects.count() == 1


def test_other_handlers_of_the_event_go_on(db: None, handlers: None, clock: Clock) -> None:
    handle(fail, attempts=1)
    handle(open_a_shop)
    event = publish()
    clock.forward(2)
    running.due_runs_handle(clock=clock)
    assert dict(event.runs.values_list("handler", "status")) == {
        "tests.fail": "dead",
        "tests.open_a_shop": "done",
    }


def test_what_fails_at_the_commit_has_failed(transactional_db: None, handlers: None) -> None:
    def employ_nobody(event: Event) -> None:
        shop = ShopFactory()
        Membership.objects.create(shop=shop, user_id=uuid.uuid4())  # the key is checked at the commit

    handle(employ_nobody)
    run = run_of(publish())
    running.run_handle(run.pk)
    run.refresh_from_db()
    assert run.status == "pending"
    assert run.error.startswith("IntegrityError: ")
    assert Shop.objects.count() == 0


def test_what_fails_after_the_commit_undoes_nothing(
    transactional_db: None, handlers: None, caplog: pytest.LogCaptureFixture
) -> None:
    def tell_in_vain(event: Event) -> None:
        open_a_shop(event)
        transaction.on_commit(lambda: 1 / 0)

    handle(tell_in_vain)
    run = run_of(publish())
    running.run_handle(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error, Shop.objects.count()) == ("done", "", 1)
    (logged,) = error_logs(caplog)
    assert "ZeroDivisionError" in logged


def test_an_event_whose_handler_was_removed_is_a_dead_letter_that_says_so(
    db: None, handlers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(open_a_shop)
    event = publish()
    monkeypatch.setattr(registry, "_handlers", {})
    running.run_handle(run_of(event).pk)
    run = run_of(event)
    assert (run.status, run.error) == ("dead", "There is no longer a handler with this name.")


# --- Lost workers ------------------------------------------------------------------------------------


def claim_and_die(clock: Clock, run: HandlerRun) -> bool:
    """Do as a worker does that is killed after its claim: the attempt is counted, its work undone."""
    return running._claim(running._THIS_ONE, clock(), run=run.pk) is not None


def test_a_run_whose_worker_was_lost_is_found(db: None, handlers: None, clock: Clock) -> None:
    handle(open_a_shop)
    event = publish()
    assert claim_and_die(clock, run_of(event))
    clock.forward(running.CLAIM.total_seconds())
    assert any_due(clock())
    running.due_runs_handle(clock=clock)
    run = run_of(event)
    assert (run.status, run.attempts, Shop.objects.count()) == ("done", 2, 1)


def test_a_run_that_kills_its_workers_again_and_again_is_a_dead_letter(
    db: None, handlers: None, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    handle(open_a_shop, attempts=3)
    event = publish()
    for _ in range(3):
        assert claim_and_die(clock, run_of(event))
        clock.forward(running.CLAIM.total_seconds())
    running.due_runs_handle(clock=clock)
    run = run_of(event)
    assert (run.status, run.attempts) == ("dead", 3)
    assert run.error == "Its worker was lost during the last attempt."
    assert Shop.objects.count() == 0
    assert len(error_logs(caplog)) == 1


def test_a_worker_that_was_only_slow_leaves_what_was_given_up_meanwhile(
    db: None, handlers: None, clock: Clock
) -> None:
    handle(open_a_shop, attempts=1)
    event = publish()
    slow = running._claim(running._THIS_ONE, clock(), run=run_of(event).pk)
    assert slow is not None
    clock.forward(running.CLAIM.total_seconds())
    running.due_runs_handle(clock=clock)
    assert run_of(event).status == "dead"
    running._run(slow, clock)
    assert (run_of(event).status, Shop.objects.count()) == ("dead", 0)


def test_the_attempt_is_counted_though_the_worker_dies_in_the_handler(
    transactional_db: None, handlers: None
) -> None:
    class Killed(BaseException):
        """Ends the worker at once, as a signal would."""

    def kill(event: Event) -> None:
        open_a_shop(event)
        raise Killed

    handle(kill)
    run = run_of(publish())
    with pytest.raises(Killed):
        running.run_handle(run.pk)
    run.refresh_from_db()
    assert (run.status, run.attempts, Shop.objects.count()) == ("pending", 1, 0)
    assert run.due_at <= timezone.now() + running.CLAIM


def test_a_worker_that_went_silent_loses_its_lock_after_the_longest_job(db: None, handlers: None) -> None:
    limits: list[str] = []

    def ask(event: Event) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'"
            )
            limits.append(cursor.fetchone()[0])

    handle(ask)
    running.run_handle(run_of(publish()).pk)
    longest_s = django_settings.RQ_QUEUES["default"]["DEFAULT_TIMEOUT"]
    (limit_ms,) = limits
    assert longest_s < int(limit_ms) / 1000 <= longest_s + 120


# --- What the sweep does ---------------------------------------------------------------------------


def test_a_run_just_committed_is_left_to_its_own_job(db: None, handlers: None, clock: Clock) -> None:
    handle(open_a_shop)
    event = publish()
    assert not any_due(event.created_at + timedelta(seconds=1.9))
    running.due_runs_handle(clock=lambda: event.created_at + timedelta(seconds=1.9))
    assert run_of(event).status == "pending"
    assert any_due(event.created_at + timedelta(seconds=2))
    running.due_runs_handle(clock=lambda: event.created_at + timedelta(seconds=2))
    assert run_of(event).status == "done"


def test_what_has_waited_longest_comes_first(db: None, handlers: None, clock: Clock) -> None:
    order: list[Event] = []
    handle(_named("note", order.append))
    events = [publish() for _ in range(5)]
    clock.forward(2)
    running.due_runs_handle(clock=clock)
    assert order == events


def test_a_slice_ends_in_time_and_says_that_more_may_wait(
    db: None, handlers: None, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(open_a_shop)
    for _ in range(3):
        publish()
    clock.forward(2)
    monkeypatch.setattr(running, "SLICE_S", 0.0)
    assert running.due_runs_handle(clock=clock)
    assert Shop.objects.count() == 1
    while running.due_runs_handle(clock=clock):
        pass
    assert Shop.objects.count() == 3
