"""Time zones: by the `tzdata` package that is installed with the product, never by the operating system."""

import zoneinfo
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

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


def is_zone(name: str) -> bool:
    return _found(name) is not None


def _found(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def package_version() -> str:
    """Return the package's version, or "" where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""
