"""Whose turn it is in a layer: shifts by the clock on the wall, over both of its changes. Pure.

A handoff that the clock shows twice is the first of the two; one that it leaps over is read by the offset
before the leap, as calendars do it (RFC 5545, 3.3.5), but never comes after the handoffs that follow it. So a
shift in which the clock is changed is an hour shorter or longer.

**Nobody loses a turn by a restriction.** A shift is a turn if some part of it, by the calendar, is within the
layer's hours. Any other shift is nobody's, and uses up no turn: whoever is next takes the next shift that is
one. With five people, shifts of a day and the weekdays from Monday to Friday, each has the same weekday every
week. The clock's changes are not counted: a turn that lies wholly in time that the clock leaps over is over
with it, so that they move nobody's days or hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from escalation.schedules.hours import ALWAYS, Hours, stretches, turns_before, within


@dataclass(frozen=True, slots=True)
class Turns:
    """A layer.

    ``begins`` is the first handoff by the clock of ``zone``. ``people`` take turns in this order,
    ``per_turn`` of them together; None is the place of somebody who left. ``hours`` is when anybody is on
    call at all.
    """

    zone: ZoneInfo
    begins: datetime
    shift: timedelta
    people: tuple[UUID | None, ...]
    per_turn: int = 1
    hours: tuple[Hours, ...] = ALWAYS


class OnDuty(NamedTuple):
    """These people are on call from ``starts_at`` until just before ``ends_at``."""

    user_ids: tuple[UUID, ...]
    starts_at: datetime
    ends_at: datetime


def on_duty(turns: Turns, begin: datetime, end: datetime, *, away: frozenset[UUID]) -> list[OnDuty]:
    """Return who a layer has on call in the shifts that meet a time: in order, those shifts as a whole.

    The next in the order takes the turns of whoever is ``away`` or has left; nobody else's move.
    """
    shifts = list(_shifts(turns, begin, end))
    if not shifts:
        return []
    allowed = stretches(turns.hours, turns.zone, shifts[0].starts_at, shifts[-1].ends_at)
    return [
        OnDuty(people, starts_at, ends_at)
        for shift in shifts
        if (people := _people(turns, shift.number, away))
        for starts_at, ends_at in within(allowed, shift.starts_at, shift.ends_at)
    ]


class _Shift(NamedTuple):
    number: int
    starts_at: datetime
    ends_at: datetime


def _shifts(turns: Turns, begin: datetime, end: datetime) -> Iterator[_Shift]:
    last = shift_number(turns, end)
    starts_at = None
    for number in range(max(0, shift_number(turns, begin)), last + 1):
        starts_at, ends_at = starts_at or _handoff(turns, number), _handoff(turns, number + 1)
        if starts_at < min(ends_at, end):
            yield _Shift(number, starts_at, ends_at)
        starts_at = ends_at


def _people(turns: Turns, number: int, away: frozenset[UUID]) -> tuple[UUID, ...]:
    """Return whose shift it is: as many as a turn has, from its place in the order on."""
    turn = turns_before(number, begins=turns.begins, shift=turns.shift, hours=turns.hours)
    count = len(turns.people)
    found: list[UUID] = []
    for further in range(count):
        person = turns.people[(turn * turns.per_turn + further) % count]
        if person and person not in away and person not in found:
            found.append(person)
        if len(found) == turns.per_turn:
            break
    return tuple(found)


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
    at = wall.replace(tzinfo=turns.zone, fold=0).astimezone(UTC)
    if at.astimezone(turns.zone).replace(tzinfo=None) == wall:
        return at
    # Leapt over. Where the leap is longer than a shift, it would come after those that follow.
    return min(at, _handoff(turns, number + 1))
