"""What all calendar files share (RFC 5545)."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from icalendar import Calendar, Timezone

#: How often a program that subscribes is asked to look again (RFC 7986, 5.7).
_REFRESH: Final = timedelta(hours=1)
_YEAR: Final = timedelta(days=366)


def feed(*, name: str, prodid: str) -> Calendar:
    """Return the beginning of a calendar that programs subscribe to.

    It has no METHOD: nothing is published or asked for by mail (RFC 5546), it only says what there is.
    """
    calendar = Calendar()
    calendar.add("prodid", prodid)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    return calendar


def written(calendar: Calendar, *, zone: ZoneInfo, now: datetime) -> bytes:
    """Return a feed as its file. An empty one has the rules of a zone: none is without a component (3.6)."""
    if not calendar.subcomponents:
        first, last = (now - _YEAR).date(), (now + _YEAR).date()
        calendar.add_component(Timezone.from_tzid(zone.key, first_date=first, last_date=last))
    return calendar.to_ical()
