"""How the time on call was shared: by the final row, so that whoever stood in has it. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from escalation.schedules.hours import WEEKDAYS, Restriction, Stretch, hours_of, joined, stretches, within
from escalation.schedules.row import Duty, Roster, StandIn, final_row
from escalation.schedules.spells import Spells
from escalation.schedules.turns import shift_number

#: Night, as the figures of pages have it too; each by the clock of whoever is on call.
NIGHT: Final = hours_of([Restriction(WEEKDAYS, time(22), time(7))])
WEEKEND: Final = hours_of([Restriction(("sat", "sun"), time(0), time(0))])
#: Somebody has had time off once they were on call by none of the schedules for so long.
TIME_OFF: Final = timedelta(hours=24)

_NONE: Final = timedelta(0)
# A shift of a layer of a schedule, or an override.
_Turn = tuple[int, int, int] | UUID


@dataclass(frozen=True, slots=True)
class Load:
    """What somebody had of a period.

    ``times`` are those in which they were on call, in order and apart, cut to the period; ``turns`` counts
    shifts and overrides, of which each may be in parts. ``longest`` is the longest of the times, and
    ``since_time_off`` how long before the period's end their last time off had ended: all of it, where they
    had none.
    """

    times: tuple[Stretch, ...] = ()
    turns: int = 0
    on_call: timedelta = _NONE
    at_night: timedelta = _NONE
    at_weekends: timedelta = _NONE
    longest: timedelta = _NONE
    since_time_off: timedelta = _NONE


class _Row(NamedTuple):
    """A schedule's final row, and what it would be if nobody stood in for one person alone."""

    place: int
    roster: Roster
    final: Sequence[Duty]
    before: Sequence[Duty]


def loads_of(
    rosters: Iterable[Roster], zones: Mapping[UUID, ZoneInfo], *, begin: datetime, end: datetime
) -> dict[UUID, Load]:
    """Return what each person has of schedules between two times, for all in ``zones``.

    Time by several of the schedules at once counts once. Of whoever is not in ``zones``, nothing is told.
    """
    times: dict[UUID, list[Stretch]] = defaultdict(list)
    turns: dict[UUID, set[_Turn]] = defaultdict(set)
    for place, roster in enumerate(rosters):
        row = _row_of(place, roster, begin, end)
        for duty in row.final:
            for user_id in duty.user_ids:
                times[user_id].append(Stretch(max(duty.starts_at, begin), min(duty.ends_at, end)))
                turns[user_id].add(_turn_of(row, duty, user_id))
    nights = {zone: stretches(NIGHT, zone, begin, end) for zone in set(zones.values())}
    weekends = {zone: stretches(WEEKEND, zone, begin, end) for zone in set(zones.values())}
    found = {}
    for user_id, zone in zones.items():
        spells = [Stretch(*each) for each in joined(times[user_id])]
        found[user_id] = Load(
            times=tuple(spells),
            turns=len(turns[user_id]),
            on_call=_length(spells),
            at_night=_length(part for each in spells for part in within(nights[zone], *each)),
            at_weekends=_length(part for each in spells for part in within(weekends[zone], *each)),
            longest=max((each.ends_at - each.starts_at for each in spells), default=_NONE),
            since_time_off=_since_time_off(spells, begin, end),
        )
    return found


def _row_of(place: int, roster: Roster, begin: datetime, end: datetime) -> _Row:
    final = final_row(roster, begin, end)
    for_all = tuple(each for each in roster.stand_ins if each.instead_of is None)
    if len(for_all) == len(roster.stand_ins):
        return _Row(place, roster, final, final)
    before = final_row(Roster(roster.layers, for_all, roster.away), begin, end)
    return _Row(place, roster, final, before)


def _turn_of(row: _Row, duty: Duty, user_id: UUID) -> _Turn:
    """Return by which shift or override somebody is on call in an entry of the row."""
    if duty.override is not None:
        for one in reversed(row.roster.stand_ins):
            if one.user_id == user_id and _covers(one, duty):
                return one.id
        # Somebody stands in for another of these people: this one is there by their own turn.
        place = bisect_right(row.before, duty.starts_at, key=lambda each: each.starts_at) - 1
        duty = row.before[place]
    if duty.layer is None:
        assert duty.override is not None
        return duty.override
    layer = row.roster.layers[duty.layer - 1]
    if isinstance(layer, Spells):
        return row.place, duty.layer, int(layer.begin_of(user_id, duty.starts_at).timestamp())
    return row.place, duty.layer, shift_number(layer, duty.starts_at)


def _covers(one: StandIn, duty: Duty) -> bool:
    return one.starts_at <= duty.starts_at and duty.ends_at <= one.ends_at


def _length(parts: Iterable[Stretch]) -> timedelta:
    return sum((part.ends_at - part.starts_at for part in parts), _NONE)


def _since_time_off(times: Sequence[Stretch], begin: datetime, end: datetime) -> timedelta:
    """Return how long before ``end`` somebody's last time off was over; 0 where they are off then."""
    next_at = end
    for each in reversed(times):
        if next_at - each.ends_at >= TIME_OFF:
            return end - next_at
        next_at = each.starts_at
    return end - (next_at if next_at - begin >= TIME_OFF else begin) if times else _NONE
