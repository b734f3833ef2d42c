"""What the sweep looks after for the engine: what workers or the queue lost, what is due, what is too old."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

import structlog
from django.db import connection

from notifications import metrics
from notifications.engine import wake
from notifications.engine.fanout import alerts_fan_out
from notifications.looks import first

log = structlog.get_logger(__name__)

# A delivery whose workers die again and again is likely what kills them.
MAX_LOST_LEASES = 5
# Due again, with the attempt on record; the end of it where it was stopped meanwhile or has cost too
# many workers.
_RECOVER = """
WITH lost AS (
    SELECT id, attempts, lease_until FROM notifications_delivery
     WHERE status = 'sending' AND lease_until < %(now)s
     ORDER BY lease_until LIMIT 5000 FOR UPDATE SKIP LOCKED
), recovered AS (
    UPDATE notifications_delivery AS delivery
       SET lost_leases = lost_leases + 1,
           lease_until = NULL,
           status = CASE WHEN revoked_at IS NOT NULL THEN 'cancelled'
                         WHEN lost_leases + 1 >= %(max_lost)s THEN 'failed' ELSE 'pending' END,
           reason = CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                         WHEN lost_leases + 1 >= %(max_lost)s THEN 'workers_lost' ELSE 'lease_lost' END
      FROM lost WHERE delivery.id = lost.id
 RETURNING delivery.id, delivery.status, delivery.channel
), recorded AS (
    INSERT INTO notifications_attempt
           (delivery_id, number, started_at, duration_ms, outcome, error)
    SELECT id, attempts, %(now)s, 0, 'lost', 'The worker that had it was lost.' FROM lost
        ON CONFLICT (delivery_id, number) DO NOTHING
)
SELECT id, status, channel FROM recovered
"""

# Rows that one statement ends: so many are not locked for long.
EXPIRE_AT_ONCE = 5000
# Walks the two partial indexes of what is pending, one after the other: no index has expires_at, which would
# cost each fan-out and each claim more than this does once a minute. Whoever has a row locked is about to
# send it or to stop it. The next slice goes on behind this one, whose rows are dead in the index.
_EXPIRE = """
WITH old AS (
    SELECT id FROM notifications_delivery
     WHERE status = 'pending' AND revocable = {revocable} AND expires_at < %(now)s
       AND (lane, due_at) >= (%(lane)s, %(due_at)s)
     ORDER BY lane, due_at LIMIT %(at_once)s FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE notifications_delivery SET status = 'expired', reason = 'too_old'
     WHERE id = ANY (ARRAY (SELECT id FROM old))
 RETURNING channel, lane, due_at
)
SELECT channel, lane, due_at FROM expired ORDER BY lane, due_at
"""
_HALVES = [_EXPIRE.format(revocable=revocable) for revocable in ("false", "true")]

# Whether there is anything to do, as notifications.looks asks it.
LEASES_LOST: Final = first(
    "notifications_delivery WHERE status = 'sending' AND lease_until < %(now)s", by="lease_until"
)
NOT_FANNED_OUT: Final = first("notifications_alert WHERE fanned_out_at IS NULL", by="received_at")


def leases_recover(now: datetime) -> int:
    """Make due again what the workers that died had claimed; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_RECOVER, {"now": now, "max_lost": MAX_LOST_LEASES})
        rows = cursor.fetchall()
    for delivery, status, channel in rows:
        metrics.add("attempts", channel, "lost")
        if status != "pending":
            metrics.add("deliveries", channel, status)
        if status == "failed":
            log.error("delivery_failed", delivery=str(delivery), channel=channel, reason="workers_lost")
    if rows:
        log.warning("leases_lost", count=len(rows))
    return len(rows)


def alerts_look(now: datetime) -> None:
    """Fan out the alerts whose job was lost."""
    alerts_fan_out()


def senders_wake(now: datetime) -> None:
    """Wake the senders for what is due, or will be in a moment."""
    wake.publish()


def expire(now: datetime) -> int:
    """End what could not be delivered within its time; returns how many."""
    count = sum(_expire(half, now) for half in _HALVES)
    if count:
        log.error("deliveries_expired", count=count)
    return count


def _expire(half: str, now: datetime) -> int:
    """End one half of it, in slices, each of them committed."""
    count, lane, due_at = 0, "", datetime.min.replace(tzinfo=UTC)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(half, {"now": now, "lane": lane, "due_at": due_at, "at_once": EXPIRE_AT_ONCE})
            rows = cursor.fetchall()
            for channel, expired in Counter(channel for channel, _, _ in rows).items():
                metrics.add("deliveries", channel, "expired", amount=expired)
            count += len(rows)
            if len(rows) < EXPIRE_AT_ONCE:
                return count
            _, lane, due_at = rows[-1]
