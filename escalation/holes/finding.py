"""Holes of a schedule: when nobody is on call, or somebody whom nothing reaches. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from config.zones import local_time
from escalation.models.hole import Hole
from escalation.policies.plan import KIND
from escalation.policies.words import name_of
from escalation.schedules.handoffs import spells
from escalation.schedules.hours import Stretch
from escalation.schedules.row import Roster, final_row, gaps
from notifications.engine.recipients import Person, recipients, unusable
from notifications.models import Severity

Kind = Hole.Kind

#: How far ahead holes are looked for.
AHEAD: Final = timedelta(days=28)
# So far beyond that, and back, the ends of a gap are looked for.
_AROUND: Final = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Found:
    """A hole as it is now.

    ``starts_at`` and ``ends_at`` are those of the first of the ``times`` that it is there; None where it has
    been there for long, or has no end in sight. A step that reaches nobody has neither. ``names`` is whom it
    is about.
    """

    kind: Kind
    key: str
    explanation: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    times: int = 1
    user_ids: tuple[UUID, ...] = ()
    names: tuple[str, ...] = ()


def holes_of(
    roster: Roster,
    people: Mapping[UUID, Person],
    zone: ZoneInfo,
    *,
    may_have_gaps: bool,
    now: datetime,
) -> list[Found]:
    """Return the holes of a schedule from now on, in order.

    What comes again at the same hours of a week is one hole, and so is all time on call of somebody whom
    nothing reaches.

    Args:
        people: everybody in the schedule.
        zone: by whose clock hours of a week are the same.
        may_have_gaps: that nobody is on call now and then is meant; not that nobody ever is.
    """
    until = now + AHEAD
    row = final_row(roster, now - _AROUND, until + _AROUND)
    ahead_of_now = [duty for duty in row if duty.starts_at < until and duty.ends_at > now]
    found: list[Found] = []
    if not (may_have_gaps and ahead_of_now):
        all_gaps = gaps(row, now - _AROUND, until + _AROUND)
        there = (gap for gap in all_gaps if gap.starts_at < until and gap.ends_at > now)
        found += _folded(_gap(each, zone, now, until) for each in there)
    why = {pk: said for pk, person in people.items() if (said := unreached_why(person, now))}
    found += _folded(
        Found(
            Kind.UNREACHED,
            str(spell.user_id),
            why[spell.user_id],
            max(spell.starts_at, now),
            spell.ends_at,
            user_ids=(spell.user_id,),
            names=(name_of(people[spell.user_id].user),),
        )
        for spell in spells(ahead_of_now)
        if spell.user_id in why
    )
    return sorted(found, key=lambda hole: (hole.starts_at or now, hole.kind, hole.key))


def said_of(hole: Found, time_zone: str) -> str:
    """Return a hole in words, by the clock of a zone."""
    if hole.kind == Kind.STEP:
        return hole.explanation
    times = {
        "begin": local_time(hole.starts_at, time_zone) if hole.starts_at else "",
        "end": local_time(hole.ends_at, time_zone) if hole.ends_at else "",
        "times": hole.times,
        "days": AHEAD.days,
    }
    match bool(hole.starts_at), bool(hole.ends_at):
        case True, True:
            when = gettext("from %(begin)s until %(end)s")
        case True, False:
            when = gettext("from %(begin)s with no end in sight")
        case False, True:
            when = gettext("now and until %(end)s")
        case _:
            when = gettext("now and with no end in sight")
    said = [when, gettext("%(times)d times in the next %(days)d days")] if hole.times > 1 else [when]
    return f"{hole.explanation.removesuffix('.')}: {'; '.join(said) % times}."


def unreached_why(person: Person, now: datetime) -> str:
    """Return why no critical escalation reaches somebody but in the inbox; empty where one does."""
    found = recipients(person, kind=KIND, severity=Severity.CRITICAL, at=now)
    if any(each.is_told and each.channel != "inbox" for each in found):
        return ""
    name = {"name": name_of(person.user)}
    if any(point.confirmed_at for point in person.contact_points):
        usable = any(unusable(point) is None for point in person.contact_points)
        if usable:
            return gettext("%(name)s has switched off escalations by all channels.") % name
        return gettext("%(name)s has no contact point switched on.") % name
    return gettext("%(name)s has no confirmed contact point.") % name


def _gap(gap: Stretch, zone: ZoneInfo, now: datetime, until: datetime) -> Found:
    starts_at = gap.starts_at if gap.starts_at > now - _AROUND else None
    ends_at = gap.ends_at if gap.ends_at < until + _AROUND else None
    key = "-".join(f"{at.astimezone(zone):%a %H:%M}" if at else "" for at in (starts_at, ends_at))
    return Found(Kind.NOBODY, key, gettext("Nobody is on call."), starts_at, ends_at)


def _folded(holes: Iterable[Found]) -> list[Found]:
    """Return each key once, with how often it is there; the first is shown."""
    found: dict[str, Found] = {}
    for hole in holes:
        first = found.get(hole.key)
        found[hole.key] = replace(first, times=first.times + 1) if first else hole
    return list(found.values())
