"""Who is on call by a layer that an external calendar feeds. Pure.

All whose spells overlap are on call together; but those with a lower priority only where no higher one has
somebody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from escalation.calendars.facts import Spell
from escalation.schedules.turns import OnDuty


@dataclass(frozen=True, slots=True)
class Spells:
    """A layer. The people of one event are in its order."""

    spells: tuple[Spell, ...]

    @property
    def people(self) -> tuple[UUID, ...]:
        """Everybody who is in what is read of the calendar, in the order in which they begin."""
        return tuple(dict.fromkeys(each.user_id for each in self.spells))

    def begin_of(self, user_id: UUID, at: datetime) -> datetime:
        """Return when the event began by which somebody is on call at a time; that time, if none does."""
        theirs = (each for each in self.spells if each.user_id == user_id)
        return next((each.starts_at for each in theirs if each.starts_at <= at < each.ends_at), at)


def on_duty(layer: Spells, begin: datetime, end: datetime, *, away: frozenset[UUID]) -> list[OnDuty]:
    """Return who is on call between two times: in order and apart, the first and the last as a whole.

    An entry ends where one of its spells does, or where others begin.
    """
    there = [each for each in layer.spells if each.user_id not in away]
    asked = [each for each in there if each.starts_at < end and each.ends_at > begin]
    if not asked:
        return []
    # An entry lies within its spells, so what lies beside these has no part in it.
    since, until = min(each.starts_at for each in asked), max(each.ends_at for each in asked)
    near = [each for each in there if each.starts_at < until and each.ends_at > since]
    return [each for each in _apart(near) if each.starts_at < end and each.ends_at > begin]


def _apart(spells: Sequence[Spell]) -> list[OnDuty]:
    """Return entries from one change of the spells that count to the next."""
    begins = sorted(range(len(spells)), key=lambda place: spells[place].starts_at)
    times = sorted({at for each in spells for at in (each.starts_at, each.ends_at)})
    found: list[OnDuty] = []
    last: list[int] = []
    open_: set[int] = set()
    following = 0
    for since, until in pairwise(times):
        while following < len(begins) and spells[begins[following]].starts_at <= since:
            open_.add(begins[following])
            following += 1
        open_ = {place for place in open_ if spells[place].ends_at > since}
        highest = max((spells[place].priority for place in open_), default=0)
        count = sorted(place for place in open_ if spells[place].priority == highest)
        if count and count == last and found[-1].ends_at == since:
            found[-1] = found[-1]._replace(ends_at=until)
        elif count:
            people = tuple(dict.fromkeys(spells[place].user_id for place in count))
            found.append(OnDuty(people, since, until))
        last = count
    return found
