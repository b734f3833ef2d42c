"""Cron lines (minute, hour, day, month, weekday): in UTC for the scheduler, and by the clock of a time zone.

By that clock they are as Debian's cron has them: when it is put forward, a fixed time that is left out comes
at once, and when it is put back, one that there is twice comes once. Lines whose minute or hour begins with *
follow the clock.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from crontab import CronTab

from config.zones import zone_of

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# More than any clock has been put back since 1970.
_PUT_BACK: Final = timedelta(hours=3)
_MINUTE: Final = timedelta(minutes=1)
# By the clock on a wall, of whatever zone.
_ANY_WALL: Final = datetime(2024, 1, 1)  # noqa: DTZ001


class BadLine(ValueError):
    """What is wrong with a cron line, in words for whoever wrote it."""


@lru_cache(maxsize=64)
def turn_after(line: str, minute: int) -> float | None:
    """Return when the first turn after a minute is, in Unix seconds; None for one that never comes.

    Working it out takes half a millisecond, and the scheduler asks every second: hence the memory.

    Args:
        minute: counted from 1970.

    Raises:
        ValueError: it is no cron line.
    """
    start = datetime.fromtimestamp(minute * 60, UTC)
    turn = CronTab(line).next(now=start, return_datetime=True, default_utc=True)
    return turn.timestamp() if turn else None


def line_check(line: str) -> None:
    """Refuse what isn't a cron line of five fields, or has a time that never comes.

    Raises:
        BadLine: it is one of these.
    """
    try:
        found = _after(line, _ANY_WALL)
    except ValueError:
        raise BadLine(
            "Expected a cron line: minute, hour, day, month and weekday, such as 30 2 * * *."
        ) from None
    if found is None:
        raise BadLine("There is no such day: this would never come.")


@lru_cache(maxsize=4096)
def next_turn(line: str, time_zone: str, after: datetime) -> datetime:
    """Return the first turn of a cron line after a time, in UTC.

    Working it out takes up to a millisecond. Ask with whole minutes: jobs of the same line then share it.

    Raises:
        ValueError: it is no cron line, or never comes.
    """
    zone = zone_of(time_zone)
    wall = after.astimezone(zone).replace(tzinfo=None)
    minute, hour, *_ = _fields(line)
    if not minute.startswith("*") and not hour.startswith("*"):
        turns = (_fixed(turn, time_zone) for turn in _walls(line, wall))
        return next(turn for turn in turns if turn > after)
    found = next(
        turn
        for each in _walls(line, wall)
        for fold in (0, 1)
        if _is_there(turn := each.replace(tzinfo=zone, fold=fold)) and turn.astimezone(UTC) > after
    ).astimezone(UTC)
    if after.astimezone(zone).utcoffset() == (after + _PUT_BACK).astimezone(zone).utcoffset():
        return found
    # The clock is put back soon: what it showed already, it shows again.
    for each in _walls(line, wall - _PUT_BACK):
        if each > wall:
            return found
        turn = each.replace(tzinfo=zone, fold=1)
        if _is_there(turn) and turn.astimezone(UTC) > after:
            return min(found, turn.astimezone(UTC))
    raise AssertionError("walls never end")


def _fields(line: str) -> list[str]:
    return _ALIASES.get(line.strip().lower(), line).split()


def _walls(line: str, wall: datetime) -> Iterator[datetime]:
    """Yield the times after this one that a line names, as a clock on the wall shows them."""
    while turn := _after(line, wall):
        wall = turn
        yield wall
    raise ValueError("it never comes")


def _after(line: str, wall: datetime) -> datetime | None:
    """Return the first such time; None where it never comes.

    Where both day and weekday are given, either will do, as crontab(5) says.

    Raises:
        ValueError: it is no cron line.
    """
    fields = _fields(line)
    if len(fields) != 5:
        raise ValueError("a cron line has five fields")
    minute, hour, day, month, weekday = fields
    either = [fields]
    if not day.startswith("*") and not weekday.startswith("*"):
        either = [[minute, hour, day, month, "*"], [minute, hour, "*", month, weekday]]
    found = [
        turn
        for each in either
        if (turn := CronTab(" ".join(each)).next(now=wall, return_datetime=True, default_utc=True))
    ]
    return min(found, default=None)


def _is_there(turn: datetime) -> bool:
    """Whether a clock shows this time, with this fold: none that it leaves out, nor twice what is once."""
    back = turn.astimezone(UTC).astimezone(turn.tzinfo)
    return back.replace(tzinfo=None) == turn.replace(tzinfo=None) and back.fold == turn.fold


def _fixed(wall: datetime, time_zone: str) -> datetime:
    """Return when a fixed time comes: once; one that is left out, as soon as the clock was put forward."""
    zone = zone_of(time_zone)
    turn = wall.replace(tzinfo=zone)
    while not _is_there(turn):
        # The first minute after the gap; a gap may be of a day.
        wall += _MINUTE
        turn = wall.replace(tzinfo=zone)
    return turn.astimezone(UTC)
