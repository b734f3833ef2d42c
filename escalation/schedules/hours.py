"""Restrictions: the weekdays and hours, by the clock on the wall, in which anybody is on call. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from math import lcm
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from config.zones import offsets_between

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
T = TypeVar("T", int, datetime)


@dataclass(frozen=True, slots=True)
class Restriction:
    """From ``begin`` to ``end`` on each of these weekdays.

    If ``end`` is not after ``begin``, it is on the next day: over midnight, or a whole day.
    """

    weekdays: tuple[str, ...]
    begin: time
    end: time


class Stretch(NamedTuple):
    starts_at: datetime
    ends_at: datetime


class Hours(NamedTuple):
    """A part of the week, in seconds from Monday 00:00."""

    begin_s: int
    end_s: int


ALWAYS: Final = (Hours(0, WEEK_S),)


def hours_of(restrictions: Iterable[Restriction]) -> tuple[Hours, ...]:
    """Return the parts of the week within any of them, in order and apart; without restrictions all of it."""
    parts: list[Hours] = []
    for each in restrictions:
        begin_s, end_s = _seconds(each.begin), _seconds(each.end)
        length_s = (end_s - begin_s - 1) % DAY_S + 1
        for weekday in each.weekdays:
            begin = WEEKDAYS.index(weekday) * DAY_S + begin_s
            end = begin + length_s
            parts += [Hours(begin, min(end, WEEK_S))] + ([Hours(0, end - WEEK_S)] if end > WEEK_S else [])
    return tuple(Hours(*part) for part in joined(parts)) or ALWAYS


def joined(parts: Iterable[tuple[T, T]]) -> list[tuple[T, T]]:
    """Return parts of a week, or times, in order and apart: those that meet are one."""
    found: list[tuple[T, T]] = []
    for begin, end in sorted(parts):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def stretches(hours: Sequence[Hours], zone: ZoneInfo, begin: datetime, end: datetime) -> list[Stretch]:
    """Return when the clock of a zone shows one of these hours, between two times: in order and apart.

    What it leaps over is not there, and what it shows twice is there twice.
    """
    if tuple(hours) == ALWAYS:
        return [Stretch(begin, end)]
    found: list[Stretch] = []
    for since, until, offset in offsets_between(zone, begin, end):
        for starts_at, ends_at in _by_weeks(hours, since + offset, until + offset):
            stretch = Stretch(max(starts_at - offset, since), min(ends_at - offset, until))
            if found and found[-1].ends_at == stretch.starts_at:
                stretch = Stretch(found.pop().starts_at, stretch.ends_at)
            found.append(stretch)
    return found


def within(allowed: Sequence[Stretch], begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield the parts of a time that are within stretches, which are in order and apart."""
    for place in range(bisect_right(allowed, begin, key=lambda each: each.ends_at), len(allowed)):
        if allowed[place].starts_at >= end:
            return
        yield Stretch(max(begin, allowed[place].starts_at), min(end, allowed[place].ends_at))


def turns_before(number: int, *, begins: datetime, shift: timedelta, hours: tuple[Hours, ...]) -> int:
    """Return how many of the first shifts are turns: those of which some part is within the hours.

    Counted by the calendar alone, whatever the clock does: after as many shifts as fit into whole weeks, the
    same hours come again.
    """
    counts = _counts(_seconds_of_week(begins), int(shift.total_seconds()), hours)
    periods, rest = divmod(number, len(counts) - 1)
    return periods * counts[-1] + counts[rest]


@lru_cache(maxsize=4096)
def _counts(begins_s: int, shift_s: int, hours: tuple[Hours, ...]) -> tuple[int, ...]:
    """Return how many turns come before each shift of a period, and at last how many it has."""
    starts = range(begins_s, begins_s + lcm(shift_s, WEEK_S), shift_s)
    return tuple(accumulate((_meets(start % WEEK_S, shift_s, hours) for start in starts), initial=0))


def _meets(begin_s: int, length_s: int, hours: Iterable[Hours]) -> bool:
    end_s = begin_s + length_s
    return any(
        part.begin_s + later < end_s and part.end_s + later > begin_s
        for part in hours
        for later in range(0, end_s, WEEK_S)
    )


def _by_weeks(hours: Sequence[Hours], begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield the hours that meet a time, week by week; all of it by one clock that is never changed."""
    week = begin - timedelta(seconds=_seconds_of_week(begin), microseconds=begin.microsecond)
    while week < end:
        for part in hours:
            stretch = Stretch(week + timedelta(seconds=part.begin_s), week + timedelta(seconds=part.end_s))
            if stretch.starts_at < end and stretch.ends_at > begin:
                yield stretch
        week += timedelta(seconds=WEEK_S)


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _seconds_of_week(wall: datetime) -> int:
    return wall.weekday() * DAY_S + _seconds(wall.time())
