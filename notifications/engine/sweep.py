"""What the sweep looks after for the engine: what the queue lost, what is due, what is too old."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import structlog

from config.sql import run_prepared
from config.statements import named
from notifications import metrics
from notifications.engine import wake
from notifications.engine.claim import DUE_LANES, MAX_LANES
from notifications.engine.fanout import alerts_fan_out
from notifications.looks import first

log = structlog.get_logger(__name__)

# What waits and is too old ends here. It was due long ago, and so lies where the due rows of its lane begin.
_EXPIRE = """
WITH chosen AS ({chosen}), expired AS (
    DELETE FROM notifications_outgoing WHERE delivery_id = ANY (ARRAY (SELECT delivery_id FROM chosen))
 RETURNING delivery_id
), told AS (
    UPDATE notifications_delivery AS delivery SET status = 'expired', reason = 'too_old'
      FROM expired WHERE delivery.id = expired.delivery_id
 RETURNING delivery.id, delivery.channel
), undelivered AS (
    INSERT INTO notifications_undelivered (delivery_id) SELECT id FROM told ON CONFLICT DO NOTHING
)
SELECT channel FROM told
"""
_TOO_OLD = """due_at <= %(now)s AND expires_at <= %(now)s
       AND (lease_until IS NULL OR lease_until < %(now)s)
     ORDER BY due_at LIMIT %(most)s
       FOR UPDATE SKIP LOCKED"""
_EXPIRE_REVOCABLE = _EXPIRE.format(
    chosen=f"SELECT delivery_id FROM notifications_outgoing WHERE revocable AND {_TOO_OLD}"  # noqa: S608
)
named("engine.expire.revocable", "End what is revocable and too old.", _EXPIRE_REVOCABLE)
_EXPIRE_OF_LANES = _EXPIRE.format(
    chosen=f"""
    SELECT waiting.delivery_id
      FROM unnest(%(lanes)s::text[]) AS asked (lane) CROSS JOIN (VALUES (0), (1), (2)) AS rank (priority)
     CROSS JOIN LATERAL (
           SELECT delivery_id FROM notifications_outgoing
            WHERE NOT revocable AND lane = asked.lane AND priority = rank.priority AND {_TOO_OLD}) AS waiting
     LIMIT %(most)s"""  # noqa: S608  (no value is put into the text)
)
named("engine.expire.lanes", "End what waits in some lanes and is too old.", _EXPIRE_OF_LANES)
# Rows that one statement ends: so many are not locked for long.
EXPIRE_AT_ONCE = 1000

# Whether there is anything to do, as notifications.looks asks it.
NOT_FANNED_OUT: Final = first("notifications_alert WHERE fanned_out_at IS NULL", by="received_at")


def alerts_look(now: datetime) -> None:
    """Fan out the alerts whose job was lost."""
    alerts_fan_out()


def senders_wake(now: datetime) -> None:
    """Wake the senders for what is due, or will be in a moment."""
    wake.publish()


def expire(now: datetime) -> int:
    """End what could not be delivered within its time; returns how many."""
    channels = _expired(_EXPIRE_REVOCABLE, now)
    for lanes in _due_lanes(now):
        channels += _expired(_EXPIRE_OF_LANES, now, lanes=lanes)
    metrics.add_many(Counter(("deliveries", channel, "expired") for channel in channels).items())
    if channels:
        log.error("deliveries_expired", count=len(channels))
    return len(channels)


def _due_lanes(now: datetime) -> Iterator[list[str]]:
    """Yield the lanes that have something due, some at a time."""
    after = ""
    while True:
        rows = run_prepared(DUE_LANES, {"now": now, "after": after, "max_lanes": MAX_LANES})
        yield [lane for lane, is_due, *_ in rows if is_due]
        if not any(step >= MAX_LANES for *_, step in rows):
            return
        after = rows[-1][0]


def _expired(statement: str, now: datetime, **parameters: object) -> list[str]:
    channels: list[str] = []
    while True:
        rows = run_prepared(statement, {"now": now, "most": EXPIRE_AT_ONCE, **parameters})
        channels += [channel for (channel,) in rows]
        if len(rows) < EXPIRE_AT_ONCE:
            return channels
