"""Times in texts, by their reader's clock.

Texts are rendered once for all who are told, with times in UTC that say so. Whoever lives by another clock
reads them by that, as they read the time above the text. Programs get them as they are.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from config.zones import zone_of

_MARK: Final = " UTC"
#: As our texts write them: 2026-11-29 15:00:20 UTC, 29/11/2026 à 15:00 UTC.
_INSTANT: Final = re.compile(
    r"\b(?:(\d{4}-\d\d-\d\d)|(\d\d/\d\d/\d{4}))( | at | à )(\d\d:\d\d(:\d\d)?) UTC\b", re.ASCII
)


def says_any(*texts: str) -> bool:
    return any(_MARK in text for text in texts)


def says_any_in(texts: Mapping[str, Mapping[str, Sequence[str]]]) -> bool:
    """Whether any of a notification's texts (``Notification.texts``) says a time in UTC."""
    return any(says_any(*text) for channels in texts.values() for text in channels.values())


def by_clock_of(time_zone: str, *texts: str) -> tuple[str, ...]:
    """Return texts with the instants that they name in UTC by the clocks of a zone."""
    if time_zone == "UTC" or not says_any(*texts):
        return texts
    return tuple(_INSTANT.sub(lambda match: _told(match, time_zone), text) for text in texts)


def _told(match: re.Match[str], time_zone: str) -> str:
    iso, day, between, clock, seconds = match.groups()
    on, at = ("%Y-%m-%d" if iso else "%d/%m/%Y"), ("%H:%M:%S" if seconds else "%H:%M")
    try:
        moment = datetime.strptime(f"{iso or day} {clock}", f"{on} {at}").replace(tzinfo=UTC)
        there = moment.astimezone(zone_of(time_zone))
    except (ValueError, OverflowError):  # the 30th of February is somebody's own words
        return match[0]
    return f"{there:{on}}{between}{there:{at}} ({there.tzinfo})"
