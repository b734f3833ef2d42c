"""What an iCalendar file says between two times: its events, and whom each names. Pure.

Recurrence, exceptions and time zones (RFC 5545) are those of ``recurring_ical_events`` and ``x_wr_timezone``.
Files come from anywhere: what repeats too often or can't be read is named, and the rest of the file counts.
The product runs this by ``escalation.calendars.apart``, as a program with bounded time and memory.
"""

import json
import re
import resource
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from math import prod
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import recurring_ical_events
import x_wr_timezone
from icalendar import Calendar

from config.zones import is_zone, use_package, zone_of
from escalation.calendars.facts import NAMES_NOBODY, PEOPLE, TOO_OFTEN, UNREADABLE, Happening, Problem, Read

#: Events in a file, repeated ones counted once; times of people between the two times; and of these at once.
MAX_EVENTS: Final = 10_000
MAX_SPELLS: Final = 5_000
MAX_AT_ONCE: Final = 50
#: Whom an event invites, and how much of its title is looked at.
MAX_ATTENDEES: Final = 200
TITLE_MAX: Final = 1_000
SUMMARY_MAX: Final = 100

_DAY: Final = timedelta(days=1)
# How far an event may reach beyond the two times: further, times would leave the calendar's end.
_FARTHEST: Final = timedelta(days=20_000)
_PRIORITY: Final = re.compile(r"\s*\[L(\d)\]\s*", re.ASCII)
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}[A-Za-z0-9]", re.ASCII)
# More times a day than these are no shifts.
_MOST_A_DAY: Final = 24
_NO_SHIFTS: Final = frozenset({"SECONDLY", "MINUTELY"})
# What says when, and who: where one of these can't be read, the event is not what its author meant.
_NEEDED: Final = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "ATTENDEE", "SUMMARY"}
)
# Rooms and the like are invited as people are.
_PEOPLE_TYPES: Final = frozenset({"INDIVIDUAL", "UNKNOWN", "GROUP"})


class TooMuch(Exception):
    """The file has more events than are read."""


def read(content: bytes, *, time_zone: str, begin: datetime, end: datetime) -> Read:
    """Return what happens between two times (UTC), in order.

    Args:
        time_zone: of whole days, and of times without a zone, where the file names none.

    Raises:
        ValueError: it is no iCalendar file.
        TooMuch: as it says.
    """
    # Ten times as many would take seconds to be parsed.
    if content.count(b"BEGIN:VEVENT") > MAX_EVENTS:
        raise TooMuch(f"it has more than {MAX_EVENTS} events")
    calendar = Calendar.from_ical(content)
    if calendar.name != "VCALENDAR":
        raise ValueError("it has no VCALENDAR")
    own = str(calendar.get("X-WR-TIMEZONE", "")).strip()
    zone = zone_of(own if own and is_zone(own) else time_zone)
    if own and is_zone(own):
        calendar = x_wr_timezone.to_standard(calendar)
    found, spells = Read([], []), 0
    for series in _series(calendar):
        summary = _summary(series[0])
        try:
            if any(_is_too_often(event) for event in series):
                found.problems.append(Problem(TOO_OFTEN, summary))
                continue
            happenings = list(_happenings(series, zone, begin, end))
        except MemoryError:
            raise
        # The libraries raise whatever comes up within them: this event is named, and the others count.
        except Exception:
            found.problems.append(Problem(UNREADABLE, summary))
            continue
        for each in happenings:
            if each.emails or each.ids:
                found.happenings.append(each)
                spells += _people(each)
            else:
                found.problems.append(Problem(NAMES_NOBODY, each.summary))
        if spells > MAX_SPELLS:
            raise TooMuch(f"it has more than {MAX_SPELLS} shifts within the time that is read")
    if _most_at_once(found.happenings) > MAX_AT_ONCE:
        raise TooMuch(f"it has more than {MAX_AT_ONCE} people on call at once")
    return Read(sorted(found.happenings, key=lambda each: each.starts_at), found.problems)


def _people(happening: Happening) -> int:
    return max(len(happening.emails), len(happening.ids))


def _most_at_once(happenings: Iterable[Happening]) -> int:
    changes: Counter[datetime] = Counter()
    for each in happenings:
        changes[each.starts_at] += _people(each)
        changes[each.ends_at] -= _people(each)
    return max(accumulate(changes[at] for at in sorted(changes)), default=0)


def _series(calendar: Any) -> Iterable[list[Any]]:
    """Return its events by UID: one, with the times of it that were changed."""
    events = [each for each in calendar.subcomponents if each.name == "VEVENT"]
    if len(events) > MAX_EVENTS:
        raise TooMuch(f"it has more than {MAX_EVENTS} events")
    by_uid: defaultdict[str, list[Any]] = defaultdict(list)
    for place, event in enumerate(events):
        by_uid[str(event.get("UID") or place)].append(event)
    return by_uid.values()


def _happenings(series: Iterable[Any], zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Happening]:
    alone = Calendar()
    for event in series:
        if any(name in _NEEDED for name, _ in event.errors):
            raise ValueError("a property of it can't be read")
        if len(_attendees_given(event)) > MAX_ATTENDEES:
            raise ValueError("it invites too many")
        alone.add_component(event)
    # A day more: times without a zone are compared as if they were in UTC.
    for event in recurring_ical_events.of(alone).between(begin - _DAY, end + _DAY):
        starts_at, ends_at = _at(event.start, zone), _at(event.end, zone)
        is_near = begin - _FARTHEST < starts_at and ends_at < end + _FARTHEST
        if not is_near:
            raise ValueError("it reaches too far")
        if starts_at < end and ends_at > begin and starts_at < ends_at and not _is_cancelled(event):
            title = str(event.get("SUMMARY", ""))[:TITLE_MAX]
            priority = _PRIORITY.match(title)
            yield Happening(
                starts_at,
                ends_at,
                int(priority[1]) if priority else 0,
                tuple(dict.fromkeys([*_attendees(event), *map(str.lower, _EMAIL.findall(title))])),
                tuple(_ids(event)),
                _summary(event),
            )


def _at(at: date, zone: ZoneInfo) -> datetime:
    """Return a time in UTC; a day begins at midnight of the zone."""
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day, tzinfo=zone)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _is_cancelled(event: Any) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _attendees_given(event: Any) -> list[Any]:
    given = event.get("ATTENDEE", [])
    return given if isinstance(given, list) else [given]


def _attendees(event: Any) -> Iterator[str]:
    for each in _attendees_given(event):
        kind = str(each.params.get("CUTYPE", "INDIVIDUAL")).upper()
        scheme, _, address = str(each).partition(":")
        # Outlook writes the address beside an identifier of its own (EMAIL: RFC 7986, 6.2).
        address = str(each.params.get("EMAIL", "")) or (address if scheme.lower() == "mailto" else "")
        if kind in _PEOPLE_TYPES and (match := _EMAIL.fullmatch(address.strip())):
            yield match[0].lower()


def _ids(event: Any) -> Iterator[UUID]:
    for each in str(event.get(PEOPLE, "")).split(","):
        if re.fullmatch(r"[0-9a-f-]{36}", each.strip()):
            yield UUID(each.strip())


def _summary(event: Any) -> str:
    title = str(event.get("SUMMARY", ""))[:TITLE_MAX]
    return "".join(each for each in title if each.isprintable())[:SUMMARY_MAX]


def _is_too_often(event: Any) -> bool:
    given = event.get("RRULE", [])
    for rule in given if isinstance(given, list) else [given]:
        if any(interval < 1 for interval in rule.get("INTERVAL") or []):
            raise ValueError("it repeats without going on")
        frequency = str((rule.get("FREQ") or [""])[0]).upper()
        by_clock = prod(max(1, len(set(rule.get(name) or []))) for name in ("BYHOUR", "BYMINUTE", "BYSECOND"))
        if frequency in _NO_SHIFTS or by_clock > _MOST_A_DAY:
            return True
    return False


def _answer(asked: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    begin, end = (datetime.fromtimestamp(asked[name], UTC) for name in ("begin", "end"))
    try:
        found = read(content, time_zone=asked["time_zone"], begin=begin, end=end)
    except TooMuch as error:
        return {"error": str(error)}
    except ValueError:
        return {"error": "it is no iCalendar file"}
    happenings = [
        (each.starts_at.timestamp(), each.ends_at.timestamp(), each.priority, each.emails,
         list(map(str, each.ids)), each.summary)
        for each in found.happenings
    ]  # fmt: skip
    return {"happenings": happenings, "problems": found.problems}


if __name__ == "__main__":
    line, _, file = sys.stdin.buffer.read().partition(b"\n")
    asked = json.loads(line)
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_s"], asked["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory_bytes"], asked["memory_bytes"]))
    use_package()
    try:
        sys.stdout.write(json.dumps(_answer(asked, file)))
    except (MemoryError, RecursionError):
        sys.exit(2)
