"""The final row of a schedule: who is on call from when until when, and by which layer or override. Pure.

A later layer lies over an earlier one wherever it has somebody on call, and overrides lie over all layers;
of those that overlap, the one made last.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from escalation.schedules import spells, turns
from escalation.schedules.hours import Stretch
from escalation.schedules.spells import Spells
from escalation.schedules.turns import OnDuty, Turns

_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StandIn:
    """An override: somebody is on call from one time until another, whoever would be.

    Or ``instead_of`` one of those who would be; where that one isn't, it changes nothing.
    """

    id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    instead_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """A schedule: its layers from the lowest, its overrides from the first made, and whoever is away."""

    layers: tuple[Turns | Spells, ...]
    stand_ins: tuple[StandIn, ...] = ()
    away: frozenset[UUID] = field(default_factory=frozenset)


class Duty(NamedTuple):
    """People are on call from ``starts_at`` until just before ``ends_at``.

    By a layer, counted from 1 as the lowest, or by the override with this id.
    """

    user_ids: tuple[UUID, ...]
    starts_at: datetime
    ends_at: datetime
    layer: int | None = None
    override: UUID | None = None


def final_row(roster: Roster, begin: datetime, end: datetime) -> list[Duty]:
    """Return who is on call between two times, in order; where nobody is, there is a gap.

    An entry ends where others take over, and at each handoff. The first and the last are whole: they are not
    cut by what is asked for.
    """
    row: list[Duty] = []
    # What lies over an entry has to be known for the whole of it.
    since, until = begin, end
    for number, layer in enumerate(roster.layers, start=1):
        entries = [Duty(*each, layer=number) for each in _on_duty(layer, since, until, roster.away)]
        if entries:
            row = _laid_over(row, entries)
            since, until = min(since, entries[0].starts_at), max(until, entries[-1].ends_at)
    for one in roster.stand_ins:
        if not (one.starts_at < until and one.ends_at > since) or one.user_id in roster.away:
            continue
        if one.instead_of is not None:
            row = [part for duty in row for part in _stood_in(duty, one)]
        else:
            row = _laid_over(row, [Duty((one.user_id,), one.starts_at, one.ends_at, override=one.id)])
            since, until = min(since, one.starts_at), max(until, one.ends_at)
    return [duty for duty in row if duty.starts_at < end and duty.ends_at > begin]


def gaps(row: Iterable[Duty], begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield when nobody is on call by a row between two times."""
    since = begin
    for duty in row:
        if since < duty.starts_at:
            yield Stretch(since, duty.starts_at)
        since = max(since, duty.ends_at)
    if since < end:
        yield Stretch(since, end)


def members(roster: Roster) -> tuple[UUID, ...]:
    """Return everybody who takes turns in a layer, or is in its calendar, each once, in order."""
    people = (person for layer in roster.layers for person in layer.people)
    return tuple(dict.fromkeys(each for each in people if each and each not in roster.away))


def on_call(roster: Roster, at: datetime) -> Duty | None:
    """Return who is on call at a time, from when until when; None for nobody."""
    return next(iter(final_row(roster, at, at + _INSTANT)), None)


def _on_duty(layer: Turns | Spells, begin: datetime, end: datetime, away: frozenset[UUID]) -> list[OnDuty]:
    if isinstance(layer, Spells):
        return spells.on_duty(layer, begin, end, away=away)
    return turns.on_duty(layer, begin, end, away=away)


def _stood_in(duty: Duty, one: StandIn) -> Iterator[Duty]:
    """Yield a duty in parts: before, while somebody stands in for one of its people, and after."""
    begin, end = max(duty.starts_at, one.starts_at), min(duty.ends_at, one.ends_at)
    if begin >= end or one.instead_of not in duty.user_ids:
        yield duty
        return
    others = [each for each in duty.user_ids if each not in (one.instead_of, one.user_id)]
    if duty.starts_at < begin:
        yield duty._replace(ends_at=begin)
    yield Duty((*others, one.user_id), begin, end, override=one.id)
    if end < duty.ends_at:
        yield duty._replace(starts_at=end)


def _laid_over(below: Sequence[Duty], above: Sequence[Duty]) -> list[Duty]:
    """Return both, in order, without what is covered; each is in order and apart."""
    uncovered = (part for duty in below for part in _uncovered(duty, above))
    return sorted([*uncovered, *above], key=lambda duty: duty.starts_at)


def _uncovered(duty: Duty, above: Sequence[Duty]) -> Iterator[Duty]:
    since = duty.starts_at
    for place in range(bisect_right(above, since, key=lambda each: each.ends_at), len(above)):
        if above[place].starts_at >= duty.ends_at:
            break
        if since < above[place].starts_at:
            yield duty._replace(starts_at=since, ends_at=above[place].starts_at)
        since = above[place].ends_at
    if since < duty.ends_at:
        yield duty._replace(starts_at=since)
