"""Outcomes on their way into the database are not forgotten, whatever happens to it or to the sender."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from notifications.database import Database, connection_parameters
from notifications.engine import finalise
from notifications.engine.finalise import Finished, Ledger
from notifications.engine.replay import replay
from notifications.engine.stop import cancel
from notifications.models import Attempt, AttemptRow, ContactPoint, Delivery, Outgoing
from notifications.services.contact_points import contact_point_update
from tests.factories import NotificationFactory
from tests.queued import stored

Make = Callable[..., list[Delivery]]
URL = "https://hooks.example.com/"
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def finished(delivery: Delivery, **fields: Any) -> Finished:
    it = Finished(
        id=delivery.pk,
        channel="webhook",
        number=1,
        lateness_s=0.1,
        status="sent",
        reason="",
        due_at=None,
        failures=0,
        started_at=datetime.now(UTC),
        duration_ms=1.5,
        outcome="sent",
        status_code=200,
        error="",
    )
    return replace(it, **fields)


def called_dead(delivery: Delivery) -> Finished:
    return finished(
        delivery,
        status="failed",
        reason="gone",
        failures=1,
        outcome="rejected",
        status_code=404,
        error="dead",
    )


def to_be_tried_again(delivery: Delivery) -> Finished:
    return finished(
        delivery,
        status="pending",
        due_at=datetime.now(UTC),
        failures=1,
        outcome="unavailable",
        status_code=503,
        error="answered 503",
    )


def write(*outcomes: Finished) -> None:
    async def inner() -> None:
        database = Database(connection_parameters())
        await finalise.finalise(database, outcomes)
        await database.close()

    asyncio.run(inner())


def run(made: list[Delivery], work: Callable[[Ledger], object]) -> None:
    """Do something with a ledger that has written all of these."""

    async def inner() -> None:
        database = Database(connection_parameters())
        ledger = Ledger(database, on_retry=lambda: None)
        for each in made:
            ledger.add(finished(each))
        await ledger.write()
        await work(ledger)  # type: ignore[misc]
        await database.close()

    asyncio.run(inner())


def sent() -> int:
    return Delivery.objects.filter(status="sent").count()


def undo() -> None:
    """What a crash of PostgreSQL does to commits that were not waited for."""
    Delivery.objects.update(status="pending", attempts=0, sent_at=None, duration_ms=None, status_code=None)
    Outgoing.objects.bulk_create(
        Outgoing(delivery=each, lane="x", due_at=each.due_at, expires_at=each.expires_at)
        for each in Delivery.objects.exclude(outgoing__isnull=False)
    )
    connection.close()  # of this thread


def test_what_was_written_last_is_written_again_however_late_the_crash_is_noticed(
    make_deliveries: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if more than that time had passed since, with nothing to write.
    monkeypatch.setattr(finalise, "RECENT_S", 0.0)
    made = make_deliveries(3, URL)

    async def crash(ledger: Ledger) -> None:
        await asyncio.to_thread(undo)
        ledger.doubt()
        await ledger.write()

    run(made, crash)
    assert sent() == 3


def test_a_doubt_in_the_middle_of_a_write_loses_nothing(make_deliveries: Make) -> None:
    first, second = make_deliveries(2, URL)

    async def crash(ledger: Ledger) -> None:
        ledger.add(finished(second))
        writing = asyncio.create_task(ledger.write())
        await asyncio.sleep(0)  # it is under way now
        ledger.doubt()
        assert {each.id for each in ledger.unwritten} == {first.pk, second.pk}
        await writing
        assert not ledger

    run([first], crash)
    assert sent() == 2


def test_what_one_ledger_could_not_write_the_next_one_does(make_deliveries: Make) -> None:
    made = make_deliveries(2, URL)

    async def take_over(ledger: Ledger) -> None:
        for each in made:
            ledger.add(finished(each))
        database = Database(connection_parameters())
        heir = Ledger(database, on_retry=lambda: None, unwritten=ledger.unwritten)
        writing = asyncio.create_task(heir.write_forever())
        async with asyncio.timeout(60):
            while heir:
                await asyncio.sleep(0.01)
        writing.cancel()
        await database.close()

    run([], take_over)
    assert sent() == 2


@pytest.mark.slow
def test_a_full_batch_waits_for_no_time(
    make_deliveries: Make, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLUSH_S = 3600
    monkeypatch.setattr(finalise, "BATCH", 2)
    first, second, third = make_deliveries(3, URL)

    async def fill(ledger: Ledger) -> None:
        writing = asyncio.create_task(ledger.write_forever())
        ledger.add(finished(first))
        await asyncio.sleep(0.1)
        assert len(ledger) == 1
        ledger.add(finished(second))
        async with asyncio.timeout(60):
            while ledger:
                await asyncio.sleep(0.01)
        ledger.add(finished(third))
        await asyncio.sleep(0.1)
        assert len(ledger) == 1
        writing.cancel()

    run([], fill)
    assert sent() == 2


def test_what_is_tried_again_may_be_due_already_and_what_has_ended_is_not(make_deliveries: Make) -> None:
    told, again = make_deliveries(2, URL)
    looks: list[int] = []

    async def write_both() -> None:
        database = Database(connection_parameters())
        ledger = Ledger(database, on_retry=lambda: looks.append(len(ledger)))
        ledger.add(finished(told))
        await ledger.write()
        assert not looks
        ledger.add(to_be_tried_again(again))
        await ledger.write()
        await database.close()

    asyncio.run(write_both())
    assert looks == [0]


def test_an_attempt_that_was_taken_for_lost_is_recorded_as_it_was(make_deliveries: Make) -> None:
    made = make_deliveries(3, URL)
    AttemptRow.objects.create(
        delivery=made[1], number=1, started_at=datetime.now(UTC), duration_ms=0, outcome="lost", error="lost"
    )
    # Whoever took it for lost has it now.
    Outgoing.objects.filter(pk=made[1].pk).update(attempts=2, lease_until=datetime.now(UTC))

    async def nothing(ledger: Ledger) -> None:
        assert not ledger

    run(made, nothing)
    assert sent() == 2
    recorded = list(Attempt.objects.values_list("delivery", "number", "outcome", "status_code", "error"))
    assert sorted(recorded) == sorted((each.pk, 1, "sent", 200, "") for each in made)


def test_what_is_written_down_twice_is_one_attempt(make_deliveries: Make) -> None:
    plain, other = make_deliveries(2, URL)
    outcomes = finished(plain), finished(other, status_code=202, reference="their id")
    for _ in range(2):
        write(*outcomes)
    assert list(Attempt.objects.order_by("pk").values_list("delivery", "status_code", "reference")) == sorted(
        [(plain.pk, 200, ""), (other.pk, 202, "their id")]
    )


def test_outcomes_of_a_delivery_are_written_down_in_their_order_though_a_claim_was_undone(
    make_deliveries: Make,
) -> None:
    """Both are in doubt after a crash of PostgreSQL, which undid the second claim."""
    (delivery,) = make_deliveries(1, URL)
    Outgoing.objects.update(attempts=1, lease_until=datetime.now(UTC) + timedelta(minutes=1))
    refused = to_be_tried_again(delivery)
    write(refused, finished(delivery, number=2))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("sent", 2)
    assert not Outgoing.objects.exists()
    assert list(Attempt.objects.order_by("number").values_list("number", "outcome")) == [
        (1, "unavailable"),
        (2, "sent"),
    ]


def test_an_outcome_of_a_delivery_that_another_has_claimed_anew_is_on_record_once(
    make_deliveries: Make,
) -> None:
    (delivery,) = make_deliveries(1, URL)
    Outgoing.objects.update(attempts=2, lease_until=datetime.now(UTC) + timedelta(minutes=1))
    write(finished(delivery))
    assert list(Attempt.objects.values_list("number", flat=True)) == [1]
    write(finished(delivery), finished(delivery, number=2))
    assert list(Attempt.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("sent", 2)


def test_a_stop_in_the_instant_of_writing_down_is_the_end(
    make_deliveries: Make, transactional_db: None
) -> None:
    """It found the send under way; what would have been tried again is over."""
    (delivery,) = make_deliveries(1, URL)
    Outgoing.objects.update(attempts=1, lease_until=datetime.now(UTC) + timedelta(minutes=1))
    refused = to_be_tried_again(delivery)
    writing = threading.Thread(target=lambda: write(refused))
    with transaction.atomic():
        assert cancel(Delivery.objects.all(), reason="over") == 0
        writing.start()
        with connection.cursor() as cursor:
            for _ in range(2000):
                # A transaction is shown the same picture again and again.
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute(WAITING)
                if cursor.fetchone() == (1,):
                    break
                time.sleep(0.01)
            else:
                pytest.fail("it never waited for the stop")
    writing.join()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("cancelled", "revoked")
    assert not Outgoing.objects.exists()
    assert list(Attempt.objects.values_list("number", "outcome")) == [(1, "unavailable")]


@pytest.mark.parametrize("reference", ["", "their id"])
def test_what_two_write_down_at_the_same_time_is_one_attempt(
    make_deliveries: Make, transactional_db: None, reference: str
) -> None:
    """Each has claimed it under the same number: a crash of PostgreSQL undid the first claim."""
    made = make_deliveries(2, URL)
    Outgoing.objects.update(attempts=1, lease_until=datetime.now(UTC) + timedelta(minutes=1))
    outcomes = [finished(each, reference=reference) for each in made]

    async def inner() -> None:
        first, second, third = (Database(connection_parameters()) for _ in range(3))
        async with (await first.connection()).transaction():
            await finalise.finalise(first, outcomes)
            other = asyncio.create_task(finalise.finalise(second, [replace(each) for each in outcomes]))
            async with asyncio.timeout(20):
                while await third.rows(WAITING, {}) != [(1,)]:
                    await asyncio.sleep(0.01)
        await other
        for database in (first, second, third):
            await database.close()

    asyncio.run(inner())
    assert sent() == 2
    assert sorted(Attempt.objects.values_list("delivery", "number", "reference")) == sorted(
        (each.id, 1, reference) for each in outcomes
    )


def test_what_was_plainly_sent_is_read_as_an_attempt_and_has_no_row(make_deliveries: Make) -> None:
    plain, retried = make_deliveries(2, URL)
    write(
        finished(plain),
        to_be_tried_again(retried),
    )
    write(finished(retried, number=2, duration_ms=7.0))
    tries = list(retried.attempt_set.values_list("number", "outcome", "status_code", "duration_ms", "error"))
    assert tries == [(1, "unavailable", 503, 1.5, "answered 503"), (2, "sent", 200, 7.0, "")]
    assert list(AttemptRow.objects.values_list("delivery", "number")) == [(retried.pk, 1)]
    plain.refresh_from_db()
    assert plain.attempt_set.get().started_at == plain.sent_at


@pytest.mark.slow
def test_a_stop_of_many_and_their_outcomes_do_not_deadlock(
    make_deliveries: Make, transactional_db: None
) -> None:
    faults: list[Exception] = []

    def alone(work: Callable[[], object], barrier: threading.Barrier) -> threading.Thread:
        def run() -> None:
            try:
                barrier.wait()
                work()
            except Exception as fault:  # a deadlock, say: shown below
                faults.append(fault)
            finally:
                connection.close()

        return threading.Thread(target=run)

    for _ in range(5):
        made = make_deliveries(200, URL)
        Outgoing.objects.update(attempts=1, lease_until=datetime.now(UTC) + timedelta(minutes=1))
        barrier = threading.Barrier(2)
        # In the order in which they lie in the table, which is not that of their ids.
        outcomes = [finished(each) for each in made]
        threads = [
            alone(lambda outcomes=outcomes: write(*outcomes), barrier),  # type: ignore[misc]
            alone(lambda: cancel(Delivery.objects.all(), reason="over"), barrier),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        assert not Outgoing.objects.exists()


def test_an_address_that_is_called_dead_switches_off_its_contact_point(make_deliveries: Make) -> None:
    dead, other = make_deliveries(2, URL)
    write(called_dead(dead), finished(other))
    assert not ContactPoint.objects.get(deliveries=dead).is_enabled
    assert ContactPoint.objects.get(deliveries=other).is_enabled


def test_an_old_address_that_is_called_dead_leaves_the_new_one_on(make_deliveries: Make) -> None:
    (old,) = make_deliveries(1, "https://old.example.com/")
    point = ContactPoint.objects.get()
    contact_point_update(contact_point=point, address="https://new.example.com/", vouched=True)
    write(called_dead(old))
    assert Delivery.objects.get().reason == "gone"
    assert ContactPoint.objects.get().is_enabled


def test_a_late_word_of_a_dead_address_leaves_on_what_was_replayed_elsewhere(make_deliveries: Make) -> None:
    (old,) = make_deliveries(1, "https://old.example.com/")
    point = ContactPoint.objects.get()
    contact_point_update(contact_point=point, address="https://new.example.com/", vouched=True)
    # Its lease was lost, it failed, was replayed to the new address, and is claimed a second time.
    Delivery.objects.update(attempts=1, address="https://new.example.com/")
    Outgoing.objects.update(attempts=2, lease_until=datetime.now(UTC))
    write(called_dead(old))
    assert ContactPoint.objects.get().is_enabled


def test_what_quiet_hours_hold_back_for_a_dead_address_is_not_sent_there(make_deliveries: Make) -> None:
    (dead,) = make_deliveries(1, URL)
    later = datetime.now(UTC) + timedelta(hours=1)
    common = {
        "user": dead.user,
        "channel": "webhook",
        "due_at": later,
        "expires_at": later,
        "contact_point": dead.contact_point,
        "address": URL,
    }
    held, elsewhere, retry = stored(
        Delivery(**common | {"notification": NotificationFactory()} | fields)
        for fields in (
            {"reason": "quiet_hours"},
            {"reason": "quiet_hours", "contact_point": None},
            {"attempts": 1},
        )
    )
    write(called_dead(dead))
    for each in (held, elsewhere, retry):
        each.refresh_from_db()
    assert (held.status, held.reason) == ("suppressed", "disabled")
    assert (elsewhere.status, elsewhere.reason) == ("pending", "quiet_hours")
    assert (retry.status, retry.reason) == ("pending", "")


def test_a_replay_stands_against_a_doubt_about_what_it_starts_again(make_deliveries: Make) -> None:
    (failed,) = make_deliveries(1, URL)

    def replayed() -> int:
        count = replay(Delivery.objects.all())
        connection.close()  # of this thread
        return count

    async def doubt(ledger: Ledger) -> None:
        ledger.add(finished(failed, status="failed", reason="exhausted", failures=3, outcome="failed"))
        await ledger.write()
        assert await asyncio.to_thread(replayed) == 1
        ledger.doubt()
        await ledger.write()

    run([], doubt)
    failed.refresh_from_db()
    assert (failed.status, failed.replays) == ("pending", 1)
    assert Outgoing.objects.get().attempts == 1
