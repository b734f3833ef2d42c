"""Time zones: by the `tzdata` package that is installed with the product, never by the operating system."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple

PACKAGE: Final = "tzdata"


def use_package() -> None:
    """Read zones from the package only: the system's files are as old as it, and differ between machines."""
    zoneinfo.reset_tzpath(())
    zoneinfo.ZoneInfo.clear_cache()
    zone_of.cache_clear()


@lru_cache(maxsize=1024)
def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone; a name that the zone database has given up since it was stored stands for UTC."""
    return _found(name) or zoneinfo.ZoneInfo("UTC")


def local_time(moment: datetime, time_zone: str) -> str:
    """Return a time as the clocks of a zone show it, with the zone: ``2026-02-06 20:00 (Europe/Paris)``."""
    zone = zone_of(time_zone)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"


def is_zone(name: str) -> bool:
    return _found(name) is not None


def _found(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


class Offset(NamedTuple):
    """A zone's clocks are ahead of UTC by ``offset`` from ``since`` until just before ``until``."""

    since: datetime
    until: datetime
    offset: timedelta


def offsets_between(zone: zoneinfo.ZoneInfo, begin: datetime, end: datetime) -> Iterator[Offset]:
    """Yield the offsets of a zone from one time (UTC) until another, which follow each other."""
    since = begin
    changes = [at for year in range(begin.year, end.year + 1) for at in _changes(zone, year)]
    for until in [*(at for at in changes if begin < at < end), end]:
        yield Offset(since, until, _offset(zone, since))
        since = until


@lru_cache(maxsize=4096)
def _changes(zone: zoneinfo.ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return when the clocks of a zone are changed in a year of UTC, to the second."""
    first, day = datetime(year, 1, 1, tzinfo=UTC), timedelta(days=1)
    days = [first + number * day for number in range((datetime(year + 1, 1, 1, tzinfo=UTC) - first).days)]
    return tuple(
        _change_within(zone, at, at + day) for at in days if _offset(zone, at) != _offset(zone, at + day)
    )


def _change_within(zone: zoneinfo.ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after


def _offset(zone: zoneinfo.ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def package_version() -> str:
    """Return the package's version, or "" where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""
