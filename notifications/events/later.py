"""What was said of somebody after a message that comes late: brokers and retries keep no order."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from config import sql
from config.statements import named
from notifications.events import people
from notifications.events.incoming import Incoming

#: By so much the clock of a publisher may be ahead of ours.
AHEAD: Final = timedelta(minutes=5)
KEYS: Final = (people.USER_CREATED, people.USER_UPDATED, people.USER_DELETED)
#: What of later events makes a difference to one; so that the many registrations cost little.
MATTERS: Final = {
    people.USER_CREATED: {people.USER_DELETED},
    people.USER_UPDATED: {*KEYS},
    people.USER_DELETED: {people.USER_CREATED},
}

# Of the same source, by its own times. What machines publish over HTTP changes no account, and is left out.
_LATER: Final = """
SELECT given.event_id, later.routing_key,
       ARRAY (SELECT key FROM jsonb_each(later.payload) WHERE value <> 'null')
  FROM unnest(%(events)s::uuid[], %(people)s::text[], %(sources)s::text[], %(times)s::timestamptz[])
       AS given (event_id, person, source, occurred_at)
  JOIN notifications_event AS later
    ON later.payload ->> 'user_id' = given.person AND later.source = given.source
   AND later.occurred_at > given.occurred_at
 WHERE later.routing_key = ANY (%(keys)s) AND later.created_at > %(stored_after)s
   AND later.occurred_at > %(said_after)s AND later.published_by_id IS NULL
 ORDER BY later.occurred_at, later.created_at
"""
named("brokers.later", "Find what later events said of the people of these.", _LATER)


@dataclass(slots=True)
class Later:
    """Fields that later events set, and whether the last of those that make or delete the account made it."""

    fields: set[str] = field(default_factory=set)
    is_there: bool | None = None


def said_later(events: Sequence[Incoming]) -> dict[UUID, Later]:
    """Return for each of these events about accounts what later ones, which are stored already, said.

    An event whose publisher gave no time comes when it comes.
    """
    found: dict[UUID, Later] = defaultdict(Later)
    chosen = [each for each in events if each.occurred_at is not None]
    times = [each.occurred_at for each in chosen if each.occurred_at is not None]
    if not times:
        return found
    parameters: dict[str, Any] = {
        "events": [each.event_id for each in chosen],
        "people": [each.payload["user_id"] for each in chosen],
        "sources": [each.source for each in chosen],
        "times": times,
        "keys": sorted(set().union(*(MATTERS[each.routing_key] for each in chosen))),
        "stored_after": min(times) - AHEAD,
        "said_after": min(times),
    }
    for event_id, routing_key, fields in sql.rows(_LATER, parameters):
        later = found[event_id]
        if routing_key != people.USER_UPDATED:
            later.is_there = routing_key == people.USER_CREATED
        later.fields.update(fields)
    return found
