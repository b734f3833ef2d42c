"""Taking what is due: lane by lane, what is critical first, never more of a lane than it has room for.

A claim reads and writes ``notifications_outgoing`` alone, and changes nothing that an index holds: see
docs/adr/0025.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog

from config.statements import named
from notifications import metrics
from notifications.database import Database

log = structlog.get_logger(__name__)

# A delivery whose workers die again and again is likely what kills them.
MAX_LOST_LEASES: Final = 5
# At most this many lanes are looked at in one look; the next one goes on behind them.
MAX_LANES: Final = 1000


def _walk(*, after: str, max_lanes: str) -> str:
    """Walk the distinct lanes, a step a priority, by seeks in the index: what waits in them costs nothing."""
    return f"""
WITH RECURSIVE walk AS (
    (SELECT lane, priority, due_at, 1 AS step FROM notifications_outgoing
      WHERE NOT revocable AND lane > {after}
      ORDER BY lane, priority, due_at LIMIT 1)
    UNION ALL
    (SELECT following.lane, following.priority, following.due_at, walk.step + 1
       FROM walk CROSS JOIN LATERAL (
            SELECT lane, priority, due_at FROM notifications_outgoing
             WHERE NOT revocable AND (lane, priority) > (walk.lane, walk.priority)
             ORDER BY lane, priority, due_at LIMIT 1) AS following
      WHERE walk.step < {max_lanes})
)
"""  # noqa: S608  (no value is put into the text)


# The lanes in which something may be due: what is first in them is, or is being sent.
DUE_LANES = f"""
{_walk(after="%(after)s", max_lanes="%(max_lanes)s")}
SELECT lane, min(priority) FILTER (WHERE due_at <= %(now)s), max(step)
  FROM walk GROUP BY lane ORDER BY lane
"""  # noqa: S608  (no value is put into the text)
named("engine.lanes", "Find the lanes in which something may be due.", DUE_LANES)

# Due, and not somebody's; what was somebody's counts as lost once its lease has run out.
_FREE = """outgoing.due_at <= %(now)s AND outgoing.expires_at > %(now)s
       AND (outgoing.lease_until IS NULL OR outgoing.lease_until < %(now)s)"""


def _is_over(row: str) -> str:
    """Whether a row that a lost worker had is at its end: it was stopped, or has cost too many workers."""
    return f"""({row}.lease_until IS NOT NULL AND (
       {row}.revoked_at IS NOT NULL OR {row}.lost_leases + 1 >= {MAX_LOST_LEASES}))"""


# What is counted of a row that is taken. An attempt is, but not of what is only taken to be ended.
_TAKEN = f"""lease_until = %(lease_until)s,
       attempts = attempts + CASE WHEN {_is_over("outgoing")} THEN 0 ELSE 1 END,
       lost_leases = lost_leases + CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END"""


def _lost(taken: str) -> str:
    """Put the attempt of the worker that was lost with a row on record: whoever takes the row up does."""
    return f"""
lost AS (
    INSERT INTO notifications_attempt (delivery_id, shop_id, number, started_at, duration_ms, outcome, error)
    SELECT delivery_id, delivery.shop_id, taken.attempts, %(now)s, 0, 'lost',
           'The worker that had it was lost.'
      FROM {taken} AS taken JOIN notifications_delivery AS delivery ON delivery.id = delivery_id
     WHERE taken.was_lost
        ON CONFLICT (delivery_id, number) DO NOTHING
), noted AS (
    UPDATE notifications_delivery AS delivery SET attempts = taken.attempts, reason = 'lease_lost'
      FROM {taken} AS taken WHERE taken.was_lost AND delivery.id = taken.delivery_id
)
"""  # noqa: S608


def _pick(priority: int, *, room: str, since: str) -> str:
    """Lock what is due of one priority of a lane that is asked for."""
    return f"""
SELECT delivery_id FROM (
SELECT delivery_id FROM notifications_outgoing AS outgoing
  WHERE NOT revocable AND lane = asked.lane AND priority = {priority}
    AND due_at >= asked.{since} AND {_FREE}
  ORDER BY due_at LIMIT asked.{room}
    FOR UPDATE SKIP LOCKED) AS priority_{priority}
"""  # noqa: S608


_COLUMNS = """
       delivery.notification_id, delivery.user_id, delivery.contact_point_id,
       delivery.channel, delivery.address, delivery.language
"""

# How the contact point has its deliveries batched, where it does: see channels.transport.batch.Batching.
BATCHING = """CASE WHEN contact.batch > 1
       THEN json_build_array(contact.batch, contact.linger_ms, contact.batch_format) END"""

# Claims with a lease. ``since`` is where the lane's last look ended: what lies before it has been taken, or
# is a dead entry that every look would step over again while some old transaction keeps it.
CLAIM = f"""
WITH asked AS (
    SELECT * FROM unnest(%(lanes)s::text[], %(rooms)s::int[], %(critical)s::int[], %(standard)s::int[],
                         %(since_critical)s::timestamptz[], %(since_standard)s::timestamptz[],
                         %(since_behind)s::timestamptz[])
               AS asked (lane, room, critical, standard, since_critical, since_standard, since_behind)
), picked AS (
    SELECT waiting.delivery_id
      FROM asked CROSS JOIN LATERAL (
           SELECT * FROM ({_pick(0, room="critical", since="since_critical")} UNION ALL
                          {_pick(1, room="standard", since="since_standard")} UNION ALL
                          {_pick(2, room="room", since="since_behind")}) AS first
            LIMIT greatest(asked.critical, asked.standard)) AS waiting
), claimed AS (
    UPDATE notifications_outgoing AS outgoing
       SET {_TAKEN}
     WHERE delivery_id = ANY (ARRAY (SELECT delivery_id FROM picked))
 RETURNING new.*, old.attempts AS attempts_before, {_is_over("old")} AS is_over,
           old.lease_until IS NOT NULL AS had_worker
), taken AS (
    SELECT delivery_id, attempts_before AS attempts, had_worker AND NOT is_over AS was_lost
      FROM claimed WHERE had_worker
), {_lost("taken")}
SELECT claimed.delivery_id, {_COLUMNS}, claimed.lane, claimed.attempts, claimed.failures, claimed.due_at,
       contact.secret_version, contact.secret_rotated_at, claimed.priority, claimed.is_over,
       claimed.revoked_at IS NOT NULL, claimed.had_worker, {BATCHING}
  FROM claimed
  JOIN notifications_delivery AS delivery ON delivery.id = claimed.delivery_id
  LEFT JOIN notifications_contactpoint AS contact ON contact.id = delivery.contact_point_id
"""  # noqa: S608
named("engine.claim", "Take what is due, lane by lane, with a lease.", CLAIM)

# A look for what is revocable sees so far ahead: that is begun when it is due, and not a sweep later.
AHEAD = timedelta(seconds=1)

# What is revocable and due before a time, by lane: whatever waits for later costs nothing.
REVOCABLE_SOON = """
SELECT lane, min(due_at), count(*) FROM (
    SELECT lane, due_at FROM notifications_outgoing
     WHERE revocable AND due_at <= %(horizon)s
       AND (lease_until IS NULL OR lease_until < %(now)s)
     ORDER BY due_at LIMIT %(most)s) AS soon
 GROUP BY lane
"""
named("engine.revocable.soon", "Find what is revocable and due before a time, by lane.", REVOCABLE_SOON)

# The lanes that have something revocable; ``due`` where it is due.
REVOCABLE_LANES = """
WITH RECURSIVE walk AS (
    (SELECT lane, due_at, 1 AS step FROM notifications_outgoing
      WHERE revocable AND lane > %(after)s
      ORDER BY lane, due_at LIMIT 1)
    UNION ALL
    (SELECT following.lane, following.due_at, walk.step + 1
       FROM walk CROSS JOIN LATERAL (
            SELECT lane, due_at FROM notifications_outgoing
             WHERE revocable AND lane > walk.lane
             ORDER BY lane, due_at LIMIT 1) AS following
      WHERE walk.step < %(max_lanes)s)
)
SELECT lane, due_at <= %(now)s AS due FROM walk ORDER BY lane
"""
named("engine.revocable.lanes", "Find the lanes that have something revocable.", REVOCABLE_LANES)

# Whether a sender would find anything, so that idle ones are left alone: what a claim of any lane would take,
# or what is revocable and due before another such question or two has been asked, and a look ahead after it.
ANY_DUE = f"""(
{_walk(after="''", max_lanes=str(MAX_LANES))}
SELECT bool_or(due_at <= %(now)s) OR count(*) = {MAX_LANES} FROM walk
) OR (
SELECT true FROM notifications_outgoing
 WHERE revocable AND due_at <= %(now)s::timestamptz + interval '3 seconds'
 ORDER BY due_at LIMIT 1
)"""  # noqa: S608


def _lock(priority: str) -> str:
    return f"""
SELECT * FROM (
SELECT * FROM notifications_outgoing AS outgoing
  WHERE revocable AND lane = %(lane)s AND priority {priority} AND {_FREE}
  ORDER BY due_at LIMIT %(room)s
    FOR UPDATE SKIP LOCKED) AS locked
"""  # noqa: S608


# Locks the due revocable rows of a lane, what is critical first: see notifications.engine.fence.
LOCK_REVOCABLE = f"""
SELECT outgoing.delivery_id, {_COLUMNS}, outgoing.lane,
       outgoing.attempts + CASE WHEN {_is_over("outgoing")} THEN 0 ELSE 1 END,
       outgoing.failures, outgoing.due_at, contact.secret_version, contact.secret_rotated_at,
       outgoing.priority, {_is_over("outgoing")}, outgoing.revoked_at IS NOT NULL,
       outgoing.lease_until IS NOT NULL, NULL
  FROM (SELECT * FROM ({_lock("= 0")} UNION ALL {_lock("> 0")}) AS first
         LIMIT %(room)s) AS outgoing
  JOIN notifications_delivery AS delivery ON delivery.id = outgoing.delivery_id
  LEFT JOIN notifications_contactpoint AS contact ON contact.id = delivery.contact_point_id
 ORDER BY least(outgoing.priority, 1), outgoing.due_at
"""  # noqa: S608
named("engine.revocable.lock", "Lock the due revocable rows of a lane.", LOCK_REVOCABLE)

MARK_BEGUN = f"""
WITH begun AS (
    UPDATE notifications_outgoing AS outgoing SET {_TAKEN}
     WHERE delivery_id = ANY (%(ids)s)
 RETURNING new.delivery_id, old.attempts, old.lease_until IS NOT NULL AS was_lost
), {_lost("begun")}
SELECT count(*) FROM begun
"""  # noqa: S608
named("engine.revocable.begun", "Give locked rows whose sends have begun their lease.", MARK_BEGUN)

RELEASE = """
UPDATE notifications_outgoing
   SET lease_until = NULL, attempts = attempts - 1
 WHERE lease_until IS NOT NULL
   AND (delivery_id, attempts) IN (SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::int[]))
"""
named("engine.release", "Give back what was claimed and never begun, as if it had not been claimed.", RELEASE)


class Claimed(NamedTuple):
    """One row of a claim."""

    id: UUID
    notification_id: UUID
    user_id: UUID | None
    contact_point_id: UUID | None
    channel: str
    address: str
    language: str
    lane: str
    attempt: int
    failures: int
    due_at: datetime
    secret_version: int | None
    secret_rotated_at: datetime | None
    priority: int = 1
    #: It is not to be sent any more: its worker was lost, and it was stopped or has cost too many.
    is_over: bool = False
    revoked: bool = False
    #: Another worker had it, and was lost.
    had_worker: bool = False
    #: How its contact point has what it gets batched; None: not at all, nor what is revocable.
    batching: Sequence[Any] | None = None


class Ask(NamedTuple):
    """What a claim may take of a lane: so many, of what is due from a time on, by priority.

    ``critical`` of them may be critical, and ``standard`` critical or standard, where there is room for no
    others.
    """

    lane: str
    room: int
    critical: int
    standard: int
    since: Sequence[datetime]


class Claimer:
    """Finds lanes in which something is due, and takes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._after = ""
        self.has_more_lanes = False

    async def due_lanes(self, now: datetime) -> dict[str, int]:
        """Return lanes with something due, and its first priority, from where the last look was cut short."""
        rows = await self._database.rows(
            DUE_LANES, {"now": now, "after": self._after, "max_lanes": MAX_LANES}
        )
        self.has_more_lanes = any(step >= MAX_LANES for *_, step in rows)
        self._after = rows[-1][0] if self.has_more_lanes else ""
        return {lane: priority for lane, priority, _ in rows if priority is not None}

    async def take(self, asked: Sequence[Ask], *, now: datetime, lease_until: datetime) -> list[Claimed]:
        """Take what is asked for, or as much of it as is there: what is critical first, then in due order."""
        names = ("lanes", "rooms", "critical", "standard", "since_critical", "since_standard", "since_behind")
        columns = zip(*[(*each[:4], *each.since) for each in asked], strict=True)
        parameters = dict(zip(names, map(list, columns), strict=True))
        rows = await self._database.rows(CLAIM, {"now": now, "lease_until": lease_until, **parameters})
        return sorted(map(Claimed._make, rows), key=attrgetter("priority", "due_at"))

    async def close(self) -> None:
        await self._database.close()


def report_lost(rows: Sequence[Claimed]) -> None:
    """Count and log what workers that were lost had begun."""
    lost = Counter(row.channel for row in rows if row.had_worker and not row.is_over)
    for channel, count in lost.items():
        metrics.add("attempts", channel, "lost", amount=count)
    if lost:
        log.warning("leases_lost", count=lost.total())
