"""Whose turn it is: shifts by the clock on the wall, over both of its changes, and who stands in. Pure.

A handoff that the clock shows twice is the first of the two; one that it leaps over is read by the offset
before the leap, as calendars do it (RFC 5545, 3.3.5). So a shift in which the clock is changed is an hour
shorter or longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class StandIn:
    """Somebody has the turn from one time until another, whoever's it would be."""

    id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Turns:
    """A rotation.

    ``begins`` is the first handoff by the clock of ``zone``; ``people`` take turns in this order, but for who
    is ``away`` and the places of those who left (None); of ``stand_ins`` that overlap the last counts.
    """

    zone: ZoneInfo
    begins: datetime
    shift: timedelta
    people: tuple[UUID | None, ...]
    stand_ins: tuple[StandIn, ...] = ()
    away: frozenset[UUID] = field(default_factory=frozenset)


class RotationShift(NamedTuple):
    """Somebody is on call from ``starts_at`` until just before ``ends_at``."""

    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    stands_in: bool = False


def on_call(turns: Turns, at: datetime) -> RotationShift | None:
    """Return who is on call at a time, for the whole of that shift (or of standing in); None for nobody."""
    stand_in = _stand_in(turns, at)
    if stand_in is not None:
        return RotationShift(stand_in.user_id, stand_in.starts_at, stand_in.ends_at, stands_in=True)
    number = shift_number(turns, at)
    # Whose shift it is: the next in the order for whoever is away or has left.
    count = len(turns.people)
    candidates = (turns.people[(number + further) % count] for further in range(count))
    person = next((person for person in candidates if person and person not in turns.away), None)
    if number < 0 or person is None:
        return None
    return RotationShift(person, _handoff(turns, number), _handoff(turns, number + 1))


def between(turns: Turns, begin: datetime, end: datetime) -> Iterator[RotationShift]:
    """Yield who is on call from one time until another, in order, cut where somebody stands in.

    The first and the last are whole where nobody stands in: a shift is not cut by what is asked for.
    """
    just_before = timedelta(microseconds=1)
    # Where another one stands in than before.
    edges = [
        edge
        for each in turns.stand_ins
        for edge in (each.starts_at, each.ends_at)
        if _stand_in(turns, edge - just_before) != _stand_in(turns, edge)
    ]
    at = begin
    while at < end:
        if stand_in := _stand_in(turns, at):
            whole = (stand_in.starts_at, stand_in.ends_at)
        else:
            number = shift_number(turns, at)
            whole = (_handoff(turns, number), _handoff(turns, number + 1))
        since = max([whole[0], *(edge for edge in edges if edge <= at)])
        until = min([whole[1], *(edge for edge in edges if edge > at)])
        if shift := on_call(turns, at):
            yield shift._replace(starts_at=max(shift.starts_at, since), ends_at=until)
        at = until


def shift_number(turns: Turns, at: datetime) -> int:
    """Return which shift a time falls into, counted from 0; negative before the first."""
    wall = at.astimezone(turns.zone).replace(tzinfo=None)
    number = (wall - turns.begins) // turns.shift
    # The clock may have been changed since the handoff: off by one, or by some for shifts of an hour.
    while _handoff(turns, number + 1) <= at:
        number += 1
    while _handoff(turns, number) > at:
        number -= 1
    return number


def _handoff(turns: Turns, number: int) -> datetime:
    wall = turns.begins + number * turns.shift
    return wall.replace(tzinfo=turns.zone, fold=0).astimezone(UTC)


def _stand_in(turns: Turns, at: datetime) -> StandIn | None:
    held = [stand_in for stand_in in turns.stand_ins if stand_in.starts_at <= at < stand_in.ends_at]
    return next((stand_in for stand_in in reversed(held) if stand_in.user_id not in turns.away), None)
