"""A month that is too old ends: in slices and as a whole, never what is live, and never in anybody's way."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from config import clock
from escalation.models import HangUp
from notifications import jobs, queue
from notifications.archive import verifying, writing
from notifications.archive.store import store
from notifications.audit import audit
from notifications.database import connection_parameters
from notifications.engine import replay
from notifications.history import ending, months
from notifications.history.month import Month
from notifications.history.months import ATTEMPTS, DELIVERIES
from notifications.ids import first_id
from notifications.models import (
    Alert,
    ArchivedMonth,
    Attempt,
    Broadcast,
    Delivery,
    InboxItem,
    Notification,
    Outgoing,
    Undelivered,
)
from tests.factories import AlertFactory
from tests.notifications.history.conftest import Tell

NOW = timezone.now()
THIS = Month.of(NOW)
NEXT = Month.of(THIS.end)
AFTER = Month.of(NEXT.end)
#: When all of next month is too old, and nothing of the one after it.
THEN = NEXT.end + timedelta(days=400, hours=2)


@pytest.fixture(autouse=True)
def _no_hooks() -> Iterator[None]:
    kept = ending.before_drop[:]
    ending.before_drop.clear()
    yield
    ending.before_drop[:] = kept


@pytest.fixture(autouse=True)
def _own_database(scratch: None, redis: Any) -> None:
    pass


def end(now: datetime = THEN) -> bool:
    return ending.months_end(now, budget_s=60)


def kept() -> list[str]:
    """The partitions that are there, which are those of deliveries and of attempts alike."""
    names = [each.name.removeprefix(DELIVERIES.name) for each in months.partitions(DELIVERIES)]
    assert names == [each.name.removeprefix(ATTEMPTS.name) for each in months.partitions(ATTEMPTS)]
    return names


def name(month: Month) -> str:
    return f"_p{month.start:%Y%m}"


def no_gaps() -> None:
    assert audit(now=timezone.now()).totals == {}


@pytest.mark.slow
def test_a_month_ends_with_all_that_hangs_on_it_and_the_others_stay(tell: Tell) -> None:
    for month in (THIS, NEXT):
        tell(month.start)
        tell(month.start, "inbox")
        failed = tell(month.start, status="failed", reason="exhausted")
        HangUp.objects.create(delivery=failed, next_at=month.start)
        AlertFactory(received_at=month.start, fanned_out_at=month.start)  # of which nobody was told
    young = [
        tell(AFTER.start),
        tell(AFTER.start, "inbox"),
        tell(AFTER.start, status="failed", reason="rejected"),
    ]
    no_gaps()

    assert not end()
    pks = {each.pk for each in young}
    assert kept() == [name(AFTER), name(Month.of(AFTER.end))]
    assert set(Delivery.objects.values_list("pk", flat=True)) == pks
    assert Attempt.objects.count() == 2
    assert set(Notification.objects.values_list("pk", flat=True)) == {each.notification_id for each in young}
    assert Alert.objects.count() == 3
    assert InboxItem.objects.get().delivery_id == young[1].pk
    assert Undelivered.objects.get().delivery_id == young[2].pk
    assert not HangUp.objects.exists()
    no_gaps()


@pytest.mark.slow
def test_nothing_ends_a_moment_too_early_or_where_all_is_kept(settings: Settings, tell: Tell) -> None:
    tell(THIS.start)
    end(THIS.end + timedelta(days=400))
    settings.HISTORY_RETENTION_DAYS = 0
    end(THEN + timedelta(days=10_000))
    assert kept()[0] == "_past"
    assert Delivery.objects.count() == 1
    settings.HISTORY_RETENTION_DAYS = 30
    end(THIS.end + timedelta(days=30, hours=1))
    assert kept()[0] == name(NEXT)


@pytest.mark.slow
@pytest.mark.parametrize("live", ["pending", "sending", "alert"])
def test_a_month_with_something_live_waits_for_it_and_the_others_do_not(live: str, tell: Tell) -> None:
    told, other = tell(THIS.start), tell(NEXT.start)
    match live:
        case "pending":
            waits = tell(THIS.start, status="pending", reason="retry")
        case "sending":
            waits = tell(THIS.start, status="sending", lease_until=NOW)
        case "alert":
            Alert.objects.filter(pk=told.notification.source_id).update(fanned_out_at=None)
    if live == "alert":  # of which nobody knows yet into which month its deliveries go
        other.delete()
        end()
        assert kept()[:2] == ["_past", name(NEXT)]
        Alert.objects.update(fanned_out_at=NOW)
    else:
        end()
        assert kept() == ["_past", name(AFTER), name(Month.of(AFTER.end))]
        assert set(Delivery.objects.values_list("pk", flat=True)) == {told.pk, waits.pk}
        assert Notification.objects.count() == 2
        Outgoing.objects.all().delete()
    end()
    assert kept()[0] == name(AFTER)
    assert not Notification.objects.exists()


@pytest.mark.slow
def test_what_is_too_old_is_not_replayed_any_more(settings: Settings, tell: Tell) -> None:
    tell(NOW - timedelta(days=11), status="failed", reason="exhausted")
    young = tell(NOW - timedelta(days=9), status="failed", reason="exhausted")
    settings.HISTORY_RETENTION_DAYS = 10
    assert replay.left_out(Delivery.objects.all()).over == 1
    assert replay.replay(Delivery.objects.all()) == 1
    assert Outgoing.objects.get().pk == young.pk


@pytest.mark.slow
def test_the_hooks_get_each_month_while_it_is_whole_and_may_keep_it(tell: Tell) -> None:
    tell(Month.of(THIS.start - timedelta(days=1)).start)
    tell(NEXT.start)
    seen: list[tuple[Month, int]] = []

    def archive(month: Month) -> None:
        if month == NEXT and len(seen) < 4:
            seen.append((month, -1))
            raise OSError("no room left")
        seen.append((month, Delivery.objects.count()))

    ending.before_drop.append(archive)
    before = Month.of(THIS.start - timedelta(days=1))
    end()
    assert seen == [(before, 2), (THIS, 2), (NEXT, -1)]
    assert kept()[0] == name(NEXT)
    assert Notification.objects.count() == Delivery.objects.count() == 1
    end()
    end()
    assert seen[3:] == [(NEXT, -1), (NEXT, 1)]
    assert kept()[0] == name(AFTER)


@pytest.mark.slow
def test_a_month_stays_while_somebody_is_still_to_hear_of_a_broadcast_of_it(tell: Tell) -> None:
    told = tell(NEXT.start).notification
    waiting = Broadcast.objects.create(notification=told, audience="students", as_of=NEXT.start)
    end()
    assert kept()[0] == name(NEXT)
    waiting.delete()
    end()
    assert kept()[0] == name(AFTER)


@pytest.mark.slow
def test_a_month_is_in_the_archive_before_it_goes(
    tell: Tell, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    monkeypatch.setattr(clock, "now", lambda: THEN)
    for month in (THIS, NEXT):
        tell(month.start)
    ending.before_drop.append(writing.keep)
    end()
    assert kept()[0] == name(AFTER)
    assert not Delivery.objects.exists()
    assert {THIS.first, NEXT.first} <= set(ArchivedMonth.objects.values_list("month", flat=True))
    assert list(verifying.faults(store())) == []
    report = audit(now=THEN)
    assert (report.totals, report.deliveries) == ({}, 2)


@pytest.mark.slow
def test_the_audit_finds_no_gap_whenever_it_looks_and_a_kill_loses_nothing(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "SLICE", 2)
    for second in range(5):
        for channel in ("webhook", "inbox"):
            tell(THIS.start + timedelta(seconds=second), channel)
    tell(THIS.start, status="failed", reason="exhausted")
    calls: list[Month] = []
    ending.before_drop.append(calls.append)
    left, looks = Notification.objects.count(), 0
    while ending.months_end(THIS.end + timedelta(days=401), budget_s=0):  # ended after each slice
        no_gaps()
        now_left = Notification.objects.count()
        assert left - now_left in (0, 2, 3, 4)
        left, looks = now_left, looks + 1
        if left:
            assert Delivery.objects.count() == 11
    assert looks >= 3
    assert len(calls) == 1  # what has begun to end is not whole any more
    assert not Delivery.objects.exists()
    assert kept()[0] == name(NEXT)
    no_gaps()


def connected() -> psycopg.Connection[Any]:
    return psycopg.connect(**connection_parameters())


@pytest.mark.slow
def test_a_month_in_use_is_left_for_the_next_time_and_nobody_waits_behind_it(tell: Tell) -> None:
    tell(THIS.start)
    young = tell(AFTER.start)
    finished: list[float] = []

    def deliver() -> None:
        """What the live path does, all the while."""
        with connected() as other:
            while not stop.is_set():
                began = time.monotonic()
                other.execute("UPDATE notifications_delivery SET attempts = 1 WHERE id = %s", [young.pk])
                other.commit()
                finished.append(time.monotonic() - began)

    stop = threading.Event()
    live = threading.Thread(target=deliver)
    with connected() as reader:
        reader.execute("SELECT count(*) FROM notifications_delivery")  # and its transaction stays open
        live.start()
        began = time.monotonic()
        end()
        took = time.monotonic() - began
        stop.set()
        live.join()
        assert kept()[0] == "_past"
    assert took < 30
    assert max(finished) < 5
    end()
    assert kept()[0] == name(AFTER)
    assert Delivery.objects.get().pk == young.pk


@pytest.mark.slow
def test_two_at_once_do_not_meet(tell: Tell) -> None:
    tell(THIS.start)
    asked: list[Month] = []
    ending.before_drop.append(asked.append)
    with connected() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [ending.LOCK])
        assert not end()
        assert asked == []
        assert kept()[0] == "_past"
        other.execute("SELECT pg_advisory_unlock(%s)", [ending.LOCK])
    end()
    assert kept()[0] == name(AFTER)


@pytest.mark.slow
def test_making_months_gives_up_as_soon(tell: Tell) -> None:
    with connected() as reader:
        reader.execute("SELECT count(*) FROM notifications_delivery")
        began = time.monotonic()
        (made,) = months.make_ahead(NEXT.start)
        assert made.startswith(ATTEMPTS.name)
        assert time.monotonic() - began < 30
    (made,) = months.make_ahead(NEXT.start)
    assert made.startswith(DELIVERIES.name)


@pytest.mark.slow
def test_the_job_makes_months_and_ends_others(tell: Tell, settings: Settings) -> None:
    settings.HISTORY_RETENTION_DAYS = 400
    with connection.cursor() as cursor:  # as if this were made long ago
        cursor.execute("ALTER TABLE notifications_delivery DETACH PARTITION notifications_delivery_past")
        cursor.execute("ALTER TABLE notifications_attempt DETACH PARTITION notifications_attempt_past")
        old = NOW - timedelta(days=800)
        for table in (DELIVERIES, ATTEMPTS):
            bounds = (
                first_id(old),
                first_id(old + timedelta(days=300)),
                first_id(THIS.end),
            )
            cursor.execute(f"ALTER TABLE {table.name}_past RENAME TO {table.name}_spare")
            cursor.execute(
                f"CREATE TABLE {table.name}_past PARTITION OF {table.name}"
                f" FOR VALUES FROM (MINVALUE) TO ('{bounds[1]}')"
            )
            cursor.execute(
                f"ALTER TABLE {table.name} ATTACH PARTITION {table.name}_spare"
                f" FOR VALUES FROM ('{bounds[1]}') TO ('{bounds[2]}')"
            )
    tell(old)
    young = tell(NOW)
    jobs.history_months()
    assert queue.of(jobs.history_end) == "slow"
    jobs.history_end()
    assert kept()[0] == "_spare"
    assert Delivery.objects.get().pk == young.pk
    jobs.history_analyze()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'notifications_delivery'")
        assert cursor.fetchone() == (1,)
