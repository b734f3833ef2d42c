"""What is too old ends, at a cost that what was delivered long ago does not add to."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications import metrics
from notifications.engine import sweep
from notifications.engine.sweep import expire
from notifications.models import Delivery, Outgoing
from tests.notifications.engine.conftest import statuses

Make = Callable[..., list[Delivery]]
URL = "https://hooks.example.com/"
HISTORY = 50_000

# Copies of a delivery, as they were before: sent a year ago.
MAKE_HISTORY = """
INSERT INTO notifications_delivery
       (id, notification_id, channel, address, language, status, reason, revocable, due_at, expires_at,
        attempts, replays, created_at, sent_at)
SELECT uuidv7(), uuidv7(), channel, address, language, 'sent', '', n %% 2 = 0, long_ago, long_ago,
       1, 0, long_ago, long_ago
  FROM notifications_delivery
 CROSS JOIN generate_series(1, %(count)s) AS n
 CROSS JOIN (SELECT %(now)s::timestamptz - interval '1 year') AS time (long_ago)
 WHERE id = %(like)s
"""
# What waits for another day, in the lanes of what is due.
MAKE_LATER = """
INSERT INTO notifications_outgoing
       (delivery_id, lane, priority, due_at, expires_at, revocable, attempts, failures, lost_leases,
        for_digest)
SELECT uuidv7(), lane, priority, due_at + interval '7 days', expires_at + interval '7 days', revocable,
       0, 0, 0, false
  FROM notifications_outgoing CROSS JOIN generate_series(1, %(count)s) AS n
 WHERE delivery_id = %(like)s
"""


def make(statement: str, like: Delivery) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"like": like.pk, "count": HISTORY, "now": timezone.now()})
        cursor.execute("ANALYZE notifications_delivery, notifications_outgoing")


def rows_read() -> dict[str, int]:
    """How many rows were read so far by going through tables, or through a whole index, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT substring(relname FROM 'notifications_[a-z]+'), sum(seq_tup_read + idx_tup_fetch)"
            "  FROM pg_stat_user_tables WHERE relname ~ '^notifications_(delivery(_|$)|outgoing$)' GROUP BY 1"
        )
        return dict(cursor.fetchall())


def old_and_new(make_deliveries: Make, now: datetime) -> None:
    for revocable in (False, True):
        for count, left_s in ((2, -1), (1, 1)):
            expires_at = now + timedelta(seconds=left_s)
            make_deliveries(count, URL, revocable=revocable, due_at=now, expires_at=expires_at)


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
def test_looking_for_what_is_too_old_reads_neither_history_nor_what_waits_for_later(
    make_deliveries: Make,
) -> None:
    now = timezone.now()
    old_and_new(make_deliveries, now)
    for like in (Outgoing.objects.filter(revocable=revocable)[0].delivery for revocable in (False, True)):
        make(MAKE_HISTORY, like)
        make(MAKE_LATER, like)
    before = rows_read()
    assert before["notifications_delivery"] > 0
    assert expire(now) == 4
    after = rows_read()
    assert statuses()["expired"] == 4
    assert {table: after[table] - before[table] < 1000 for table in after} == {
        "notifications_delivery": True,
        "notifications_outgoing": True,
    }
