"""Cron lines (minute, hour, day, month, weekday; UTC), as the scheduler reads them."""

from datetime import UTC, datetime
from functools import lru_cache

from crontab import CronTab


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
