"""What is too old ends, at a cost that what was delivered long ago does not add to."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import metrics
from notifications.engine import sweep
from notifications.engine.sweep import expire
from notifications.models import Delivery
from tests.notifications.engine.conftest import statuses

Make = Callable[..., list[Delivery]]
URL = "https://hooks.example.com/"
HISTORY = 50_000

# Copies of a delivery, as they were before: sent a year ago.
MAKE_HISTORY = """
INSERT INTO notifications_delivery
       (id, notification_id, channel, address, language, lane, status, reason, revocable, due_at, expires_at,
        attempts, failures, lost_leases, replays, created_at, sent_at)
SELECT uuidv7(), uuidv7(), channel, address, language, lane, %(status)s, '', n %% 2 = 0, long_ago, long_ago,
       1, 0, 0, 0, long_ago, long_ago
  FROM notifications_delivery
 CROSS JOIN generate_series(1, %(count)s) AS n
 CROSS JOIN (SELECT %(now)s::timestamptz - interval '1 year') AS time (long_ago)
 WHERE id = %(like)s
"""


def make_history(like: Delivery, *, status: str = "sent") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            MAKE_HISTORY, {"like": like.pk, "count": HISTORY, "now": timezone.now(), "status": status}
        )
        cursor.execute("ANALYZE notifications_delivery")


def plans(of: Callable[[], object]) -> list[str]:
    """How PostgreSQL runs each statement of a function."""
    with CaptureQueriesContext(connection) as statements:
        of()
    found = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement['sql']}")
            found.append("\n".join(line for (line,) in cursor.fetchall()))
    return found


def old_and_new(make_deliveries: Make, now: datetime) -> None:
    for revocable in (False, True):
        make_deliveries(2, URL, revocable=revocable, expires_at=now - timedelta(seconds=1))
        make_deliveries(1, URL, revocable=revocable, expires_at=now + timedelta(seconds=1))


def test_what_is_too_old_ends_be_it_revocable_or_not_and_nothing_else(make_deliveries: Make) -> None:
    now = timezone.now()
    old_and_new(make_deliveries, now)
    assert expire(now) == 4
    assert statuses() == {"expired": 4, "pending": 2}
    metrics.flush()
    assert metrics.totals()["deliveries", "webhook", "expired"] == 4


def test_it_ends_slice_by_slice(make_deliveries: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "EXPIRE_AT_ONCE", 2)
    now = timezone.now()
    for lane in range(4):  # of the same moment in part: nothing is passed over between two slices
        make_deliveries(
            3, f"https://hooks{lane}.example.com/", due_at=now, expires_at=now - timedelta(days=1)
        )
    make_deliveries(3, URL, revocable=True, due_at=now, expires_at=now - timedelta(days=1))
    assert expire(now) == 15
    assert statuses() == {"expired": 15}


@pytest.mark.slow
def test_looking_for_what_is_too_old_reads_no_history(make_deliveries: Make) -> None:
    now = timezone.now()
    old_and_new(make_deliveries, now)
    make_history(Delivery.objects.all()[0])
    found = plans(lambda: expire(now))
    assert found
    assert not [plan for plan in found if "Seq Scan on notifications_delivery" in plan]
    assert statuses()["expired"] == 4


@pytest.mark.slow
def test_it_reads_no_history_either_where_statistics_are_of_a_backlog_that_is_gone(
    make_deliveries: Make,
) -> None:
    now = timezone.now()
    old_and_new(make_deliveries, now)
    make_history(Delivery.objects.all()[0], status="pending")
    Delivery.objects.filter(attempts=1).update(status="sent")
    found = plans(lambda: expire(now))
    assert found
    assert not [plan for plan in found if "Seq Scan on notifications_delivery" in plan]
