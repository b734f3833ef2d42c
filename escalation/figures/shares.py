"""How the time on call was shared in a period, with the pages that people got meanwhile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from accounts.models import User
from config import sql
from config.statements import named
from config.zones import zone_of
from escalation.figures.fairness import Load, loads_of
from escalation.policies.plan import KIND
from escalation.policies.words import name_of
from escalation.schedules.hours import Stretch
from escalation.schedules.selectors import people_by_id, roster_of
from notifications.ids import first_id

# A page has the id of its escalation's round, which may have begun so long before it was sent.
_LATE: Final = timedelta(days=7)

# What reached somebody by a channel other than the inbox while they were on call; by their own clock. Their
# times are read once, and not for each message.
_PAGES: Final = """
WITH person AS MATERIALIZED (
    SELECT id, zone, times::tstzmultirange AS times
      FROM unnest(%(users)s::uuid[], %(zones)s::text[], %(times)s::text[]) AS given (id, zone, times)
)
SELECT person.id, count(*), count(*) FILTER (WHERE its.hour >= 22 OR its.hour < 7)
  FROM person
  JOIN notifications_delivery AS delivery
    ON delivery.user_id = person.id AND delivery.id >= %(first_id)s AND delivery.id < %(last_id)s
   AND delivery.status = 'sent' AND delivery.channel <> 'inbox'
   AND delivery.sent_at <@ person.times
  JOIN notifications_notification AS told
    ON told.id = delivery.notification_id AND told.source_type = 'escalation' AND told.kind = %(kind)s
 CROSS JOIN LATERAL (SELECT extract(hour FROM delivery.sent_at AT TIME ZONE person.zone) AS hour) AS its
 GROUP BY person.id
"""
named("figures.pages_on_call", "Count the pages that people got while they were on call.", _PAGES)


@dataclass(frozen=True, slots=True)
class PersonalLoad:
    """What somebody had of a period; seconds, and numbers of messages."""

    user_id: UUID
    name: str
    time_zone: str
    on_call_s: int
    night_s: int
    weekend_s: int
    turns: int
    longest_s: int
    since_time_off_s: int
    pages: int
    pages_at_night: int


@dataclass(frozen=True, slots=True)
class Shares:
    """People by how long they were on call, the longest first; ``on_call_s`` is that of all together."""

    begin: datetime
    end: datetime
    on_call_s: int
    people: Sequence[PersonalLoad]


def shares_of(schedules: Iterable[Any], *, begin: datetime, end: datetime) -> Shares:
    """Return how the time on call was shared: one statement, beside those that read the schedules.

    Everybody who takes turns is there, and whoever else stood in meanwhile.

    Args:
        schedules: read by ``with_layers``.
    """
    schedules = list(schedules)
    people = {pk: user for each in schedules for pk, user in people_by_id(each).items()}
    zones = {pk: zone_of(user.time_zone) for pk, user in people.items()}
    loads = loads_of([roster_of(each) for each in schedules], zones, begin=begin, end=end)
    take_turns = {
        place.user_id
        for schedule in schedules
        for layer in schedule.in_layers
        for place in layer.in_order
        if place.user and place.user.is_active
    }
    loads = {pk: load for pk, load in loads.items() if load.times or pk in take_turns}
    pages = _pages(loads, people, begin, end)
    found = [_personal(people[pk], load, *pages.get(pk, (0, 0))) for pk, load in loads.items()]
    found.sort(key=lambda each: (-each.on_call_s, each.name.casefold(), each.user_id))
    return Shares(begin, end, sum(each.on_call_s for each in found), found)


def _personal(user: User, load: Load, pages: int, pages_at_night: int) -> PersonalLoad:
    return PersonalLoad(
        user_id=user.pk,
        name=name_of(user),
        time_zone=user.time_zone,
        on_call_s=int(load.on_call.total_seconds()),
        night_s=int(load.at_night.total_seconds()),
        weekend_s=int(load.at_weekends.total_seconds()),
        turns=load.turns,
        longest_s=int(load.longest.total_seconds()),
        since_time_off_s=int(load.since_time_off.total_seconds()),
        pages=pages,
        pages_at_night=pages_at_night,
    )


def _pages(
    loads: dict[UUID, Load], people: dict[UUID, User], begin: datetime, end: datetime
) -> dict[UUID, tuple[int, int]]:
    """Return how many pages each got while on call, and how many of them at night."""
    on_call = {pk: load for pk, load in loads.items() if load.times}
    parameters = {
        "users": list(on_call),
        "zones": [people[pk].time_zone for pk in on_call],
        "times": [_multirange(load.times) for load in on_call.values()],
        "first_id": first_id(begin - _LATE),
        "last_id": first_id(end),
        "kind": KIND,
    }
    return {pk: (pages, at_night) for pk, pages, at_night in sql.rows(_PAGES, parameters)}


def _multirange(times: Iterable[Stretch]) -> str:
    """Return times as PostgreSQL reads them."""
    return f"{{{','.join(f'[{each.starts_at.isoformat()},{each.ends_at.isoformat()})' for each in times)}}}"
