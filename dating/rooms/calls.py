"""Which calls are on, and until when: the one rule, for whoever wants to enter and for whoever is in."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from config import clock
from config.sql import run_prepared
from config.statements import named
from notifications.database import Database

# While the organiser has stopped the clock a call goes on, and nobody knows until when: NULL.
_CALLS: Final = """
SELECT seat.id, CASE WHEN event.paused_at IS NULL THEN extract(epoch FROM round.ends_at)::float8 END
  FROM unnest(%(seats)s::uuid[], %(versions)s::int[]) AS asked (id, version)
  JOIN dating_seat AS seat ON seat.id = asked.id
  JOIN dating_round AS round ON round.id = seat.round_id
  JOIN dating_event AS event ON event.id = round.event_id
  JOIN dating_date AS date ON date.id = seat.date_id
  JOIN dating_registration AS first ON first.id = date.first_id AND first.state = 'confirmed'
  JOIN dating_registration AS second ON second.id = date.second_id AND second.state = 'confirmed'
  JOIN accounts_user AS one ON one.uuid = first.user_id AND one.is_active
  JOIN accounts_user AS other ON other.uuid = second.user_id AND other.is_active
 WHERE asked.version = CASE first.id WHEN seat.registration_id THEN one.links_version
                                           ELSE other.links_version END
   AND round.status IN ('planned', 'running') AND round.starts_at <= %(now)s
   AND (round.ends_at > %(now)s OR event.paused_at IS NOT NULL AND round.status = 'running')
"""
named("dating.calls", "Find which calls are on, and until when.", _CALLS)
#: By seat; None while the clock is stopped.
Untils = dict[UUID, float | None]


def _asked(places: Sequence[tuple[UUID, int]]) -> dict[str, object]:
    return {
        "seats": [seat for seat, _ in places],
        "versions": [version for _, version in places],
        "now": clock.now(),
    }


async def calls_on(database: Database, places: Sequence[tuple[UUID, int]]) -> Untils:
    """Return of seats (with the version of their links) those whose call is on: until when, in Unix seconds.

    psycopg.Error: PostgreSQL is away.
    """
    return dict(await database.rows(_CALLS, _asked(places)))


def call_is_on(seat: UUID, version: int) -> Untils:
    """Do the same for one seat, on Django's connection."""
    return dict(run_prepared(_CALLS, _asked([(seat, version)])))
