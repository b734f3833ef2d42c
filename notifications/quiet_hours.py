"""When quiet hours end, in a person's own time zone. Pure: the time comes in, a decision goes out."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from config.zones import zone_of

#: What is held for a digest goes out by itself so long after their end, should nobody have made the digest.
DIGEST_GRACE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


def held_until(now: datetime, zone: str, quiet_from: time, quiet_until: time) -> datetime | None:
    """Return when the quiet hours that ``now`` falls into end (UTC), or None where it is not quiet.

    They run from ``quiet_from`` until just before ``quiet_until`` by the clock on the wall, past midnight
    where the first is the later one. A time that the clock shows twice begins them at the first and ends them
    at the second, so that it never shows quiet hours that are not kept; one that it leaps over does so at the
    leap. Nothing is held for more than 25 hours.
    """
    tz = zone_of(zone)
    today = now.astimezone(tz).date()
    over_midnight = timedelta(0) if quiet_from < quiet_until else _DAY
    # Yesterday's may last until today.
    for day in (today - _DAY, today):
        begin = _instant(day, quiet_from, tz, fold=0)
        end = _instant(day + over_midnight, quiet_until, tz, fold=1)
        if begin <= now < end:
            return end
    return None


def _instant(day: date, at: time, tz: ZoneInfo, *, fold: int) -> datetime:
    """Return when the clock shows a time (for the first or the last time), or leaps over it."""
    wall = datetime.combine(day, at)
    instant = wall.replace(tzinfo=tz, fold=fold).astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == wall:
        return instant
    # A time in a gap is read by the offset before it (fold=0) or the one after it: the leap is in between.
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    # Look for the first instant with the later offset, to the second.
    offset = after.astimezone(tz).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
