"""Until when something is put off by one click: times that people mean, by their own clocks."""

from datetime import datetime, time, timedelta, tzinfo
from typing import Final

MORNING: Final = time(8)


def moment_of(choice: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the time that a choice stands for in a zone; None if it is none."""
    today = now.astimezone(zone).date()
    match choice:
        case "hour":
            return now + timedelta(hours=1)
        case "tomorrow":
            return datetime.combine(today + timedelta(days=1), MORNING, zone)
        case "monday":
            return datetime.combine(today + timedelta(days=7 - today.weekday()), MORNING, zone)
    return None
