"""Taking what is due: lane by lane in due order, never more of a lane than it has room for."""

import math
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from notifications.engine.database import Database

# Walks the distinct lanes by seeks in the partial index on (lane, due_at), so that its cost depends on
# the number of lanes and not on how much waits in them; a lane with a huge backlog costs one seek.
_WALK = """
WITH RECURSIVE walk AS (
    (SELECT lane, due_at, 1 AS step FROM notifications_delivery
      WHERE status = 'pending' AND revocable = {revocable} AND lane > %(after)s
      ORDER BY lane, due_at LIMIT 1)
    UNION ALL
    (SELECT following.lane, following.due_at, walk.step + 1
       FROM walk CROSS JOIN LATERAL (
            SELECT lane, due_at FROM notifications_delivery
             WHERE status = 'pending' AND revocable = {revocable} AND lane > walk.lane
             ORDER BY lane, due_at LIMIT 1) AS following
      WHERE walk.step < %(max_lanes)s)
)
"""

_COLUMNS = """
    id, notification_id, user_id, contact_point_id, channel, address, language, lane,
    attempts, failures, due_at
"""

_ANSWER = """
SELECT seen.last_lane, seen.lanes, seen.due_lanes, claimed.*,
       contact.secret_version, contact.secret_rotated_at
  FROM (SELECT max(lane) AS last_lane, count(*) AS lanes, (SELECT count(*) FROM due_lane) AS due_lanes
          FROM walk) AS seen
  LEFT JOIN claimed ON true
  LEFT JOIN notifications_contactpoint AS contact ON contact.id = claimed.contact_point_id
 ORDER BY claimed.due_at
"""

# No lane gets more than its share of a claim, else the last ones would wait for all others. Where more lanes
# are due than a claim takes rows, the next claim begins behind the last lane that was served.
#
# Claims with a lease: who dies with it loses it, and the sweep makes the row due again.
CLAIM = f"""
{_WALK.format(revocable="false")}
, due_lane AS (
    SELECT walk.lane, coalesce(known.room, %(default_room)s) AS room
      FROM walk LEFT JOIN unnest(%(lanes)s::text[], %(rooms)s::int[]) AS known (lane, room)
        ON known.lane = walk.lane
     WHERE walk.due_at <= %(now)s AND coalesce(known.room, %(default_room)s) > 0
     ORDER BY walk.lane <= %(served)s, walk.lane
), share AS (
    SELECT ceil(%(limit)s::float8 / greatest(count(*), 1))::int AS most FROM due_lane
), picked AS (
    SELECT waiting.id
      FROM due_lane CROSS JOIN share CROSS JOIN LATERAL (
            SELECT id FROM notifications_delivery
             WHERE status = 'pending' AND NOT revocable
               AND lane = due_lane.lane AND due_at <= %(now)s AND expires_at > %(now)s
             ORDER BY due_at LIMIT least(due_lane.room, share.most)
               FOR UPDATE SKIP LOCKED) AS waiting
     LIMIT %(limit)s
), claimed AS (
    UPDATE notifications_delivery
       SET status = 'sending', lease_until = %(lease_until)s, attempts = attempts + 1
     WHERE id = ANY (ARRAY (SELECT id FROM picked))
 RETURNING {_COLUMNS}
)
{_ANSWER}
"""  # noqa: S608  (no value is put into the text)

# How far a look for what is revocable sees ahead: what is due within it is begun when it is due, and not a
# sweep later.
AHEAD = timedelta(seconds=1)

# What is revocable and due before a time, by lane: whatever waits for later costs nothing.
REVOCABLE_SOON = """
SELECT lane, min(due_at), count(*) FROM (
    SELECT lane, due_at FROM notifications_delivery
     WHERE status = 'pending' AND revocable AND due_at <= %(horizon)s
     ORDER BY due_at LIMIT %(most)s) AS soon
 GROUP BY lane
"""

# The lanes that have something revocable; ``due`` where it is due.
REVOCABLE_LANES = f"""
{_WALK.format(revocable="true")} SELECT lane, due_at <= %(now)s AS due FROM walk ORDER BY lane
"""  # noqa: S608

# At most this many lanes are looked at in one claim; the next one goes on behind them.
MAX_LANES = 1000
# Whether a sender would find anything, so that idle ones are left alone: what a claim of any lane would take,
# or what is revocable and due before another such question or two has been asked, and a look ahead after it.
ANY_DUE = f"""(
{_WALK.format(revocable="false").replace("%(after)s", "''").replace("%(max_lanes)s", str(MAX_LANES))}
SELECT bool_or(due_at <= %(now)s) OR count(*) = {MAX_LANES} FROM walk
) OR (
SELECT true FROM notifications_delivery
 WHERE status = 'pending' AND revocable AND due_at <= %(now)s::timestamptz + interval '3 seconds'
 ORDER BY due_at LIMIT 1
)"""  # noqa: S608  (no value is put into the text)

# Locks the due revocable rows of a lane and leaves them pending: see notifications.engine.fence.
LOCK_REVOCABLE = """
SELECT delivery.id, notification_id, delivery.user_id, contact_point_id, delivery.channel,
       delivery.address, delivery.language, delivery.lane, attempts + 1, failures, due_at,
       contact.secret_version, contact.secret_rotated_at
  FROM notifications_delivery AS delivery
  LEFT JOIN notifications_contactpoint AS contact ON contact.id = delivery.contact_point_id
 WHERE status = 'pending' AND revocable AND delivery.lane = %(lane)s AND due_at <= %(now)s
   AND expires_at > %(now)s
 ORDER BY due_at LIMIT %(room)s
   FOR UPDATE OF delivery SKIP LOCKED
"""

MARK_BEGUN = """
UPDATE notifications_delivery
   SET status = 'sending', lease_until = %(lease_until)s, attempts = attempts + 1
 WHERE id = ANY (%(ids)s)
"""

# Gives back what was claimed and never begun, as if it had not been claimed.
RELEASE = """
UPDATE notifications_delivery
   SET status = 'pending', lease_until = NULL, attempts = attempts - 1
 WHERE status = 'sending' AND (id, attempts) IN (SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::int[]))
"""


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


class Claimer:
    """Takes due deliveries, round and round over the lanes so that none is left out."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._after = self._served = ""
        self.has_more_lanes = False
        #: What the last claim took of one lane at most.
        self.share = 0

    async def take(
        self, *, now: datetime, lease_until: datetime, limit: int, rooms: dict[str, int], default_room: int
    ) -> list[Claimed]:
        """Take up to ``limit``: at most ``rooms[lane]`` of a lane, ``default_room`` of a lane not named."""
        parameters = {
            "now": now,
            "lease_until": lease_until,
            "limit": limit,
            "lanes": list(rooms),
            "rooms": list(rooms.values()),
            "default_room": default_room,
            "after": self._after,
            "served": self._served,
            "max_lanes": MAX_LANES,
        }
        rows = await self._database.rows(CLAIM, parameters)
        last_lane, lanes, due_lanes = rows[0][:3]
        self.share = math.ceil(limit / max(due_lanes, 1))
        self.has_more_lanes = lanes >= MAX_LANES
        self._after = last_lane if self.has_more_lanes else ""
        claimed = [Claimed._make(row[3:]) for row in rows if row[3] is not None]
        if len(claimed) >= limit:
            self._served = _last_served({row.lane for row in claimed}, after=self._served)
        return claimed

    async def close(self) -> None:
        await self._database.close()


def _last_served(lanes: set[str], *, after: str) -> str:
    """Return the last of these lanes, in the order that begins behind ``after`` and goes round."""
    return max(lanes, key=lambda lane: (lane <= after, lane))
