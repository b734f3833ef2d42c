"""When a step, or a target of it, holds: by hours and weekdays in the policy's zone, and severity. Pure.

{"weekdays": ["mon", "fri"], "begin": "22:00", "end": "06:00", "severity": "critical"}
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from escalation.schedules.hours import WEEK_S, WEEKDAYS, Restriction, hours_of, joined
from notifications.models import Severity

#: Why one doesn't hold.
HOURS, WEEKDAY, SEVERITY = "outside_hours", "other_weekday", "other_severity"
_FIELDS: Final = ("weekdays", "begin", "end", "severity")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
# Any Monday.
_MONDAY: Final = date(2026, 1, 5)

#: From a second of the week, which begins on Monday, until just before another.
Stretch = tuple[int, int]
#: All of it.
WEEK: Final[list[Stretch]] = [(0, WEEK_S)]
Complain = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Condition:
    """Hours from ``begins`` until just before ``ends``; days, and a severity. None and empty mean any.

    If ``ends`` is not after ``begins``, it is on the next day. What lasts over midnight belongs to the
    weekday (0 is Monday) on which it begins.
    """

    weekdays: tuple[int, ...] = ()
    begins: time | None = None
    ends: time | None = None
    severity: str = ""

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.weekdays:
            found["weekdays"] = [WEEKDAYS[day] for day in self.weekdays]
        if self.begins is not None and self.ends is not None:
            found |= {"begin": f"{self.begins:%H:%M}", "end": f"{self.ends:%H:%M}"}
        return found | ({"severity": self.severity} if self.severity else {})

    def __str__(self) -> str:
        """Return it in words: on Mon and Fri from 22:00 until 06:00, if critical."""
        days = [WEEKDAYS[day].capitalize() for day in self.weekdays]
        parts = [f"on {_list_of(days)}"] if days else []
        if self.begins is not None and self.ends is not None:
            parts.append(f"from {self.begins:%H:%M} until {self.ends:%H:%M}")
        if self.severity:
            parts.append(f"if {self.severity}")
        return " ".join(parts)


ALWAYS: Final = Condition()


def failure(condition: Condition, at: datetime, *, zone: ZoneInfo, severity: str) -> str:
    """Return why a condition doesn't hold at a time: HOURS, WEEKDAY or SEVERITY; "" where it holds."""
    if condition.severity and condition.severity != severity:
        return SEVERITY
    wall = at.astimezone(zone)
    day, now = wall.weekday(), wall.time()
    begins, ends = condition.begins, condition.ends
    if begins is not None and ends is not None:
        if (begins < ends and not begins <= now < ends) or ends <= now < begins:
            return HOURS
        if ends <= begins and now < ends:
            day = (day - 1) % 7
    return WEEKDAY if condition.weekdays and day not in condition.weekdays else ""


def stretches(condition: Condition) -> list[Stretch]:
    """Return the parts of a week in which a condition holds, its severity aside, each within the week."""
    days = tuple(WEEKDAYS[day] for day in condition.weekdays) or WEEKDAYS
    hours = Restriction(days, condition.begins or time(), condition.ends or time())
    return [(part.begin_s, part.end_s) for part in hours_of([hours])]


def shifted(parts: Iterable[Stretch], by_s: int) -> list[Stretch]:
    """Return stretches so much later in the week, or earlier."""
    return joined(part for begin, end in parts for part in _wrapped(begin + by_s, end + by_s))


def common(some: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """Return what two lots of stretches have in common."""
    others = list(others)
    return joined(
        (max(begin, other_begin), min(end, other_end))
        for begin, end in some
        for other_begin, other_end in others
        if max(begin, other_begin) < min(end, other_end)
    )


def rest(parts: Iterable[Stretch]) -> list[Stretch]:
    """Return what of the week is in none of them."""
    at, found = 0, []
    for begin, end in joined(parts):
        if at < begin:
            found.append((at, begin))
        at = end
    return [*found, (at, WEEK_S)] if at < WEEK_S else found


def in_words(parts: list[Stretch]) -> str:
    """Return stretches as people read them: from Sat 00:00 until Mon 08:00."""
    if parts == WEEK:
        return "at any time"
    # One that goes on over the end of the week is one.
    if len(parts) > 1 and parts[0][0] == 0 and parts[-1][1] == WEEK_S:
        parts = [*parts[1:-1], (parts[-1][0], parts[0][1])]
    return _list_of([f"from {_moment(begin)} until {_moment(end)}" for begin, end in parts])


def condition_of(given: Any, complain: Complain) -> Condition:
    """Return what the field ``only`` says; whatever is wrong with it is complained about, by its field."""
    if given is None:
        return ALWAYS
    if not isinstance(given, Mapping):
        complain(f"only: Expected an object with any of: {', '.join(_FIELDS)}.")
        return ALWAYS
    for name in sorted(set(map(str, given)) - set(_FIELDS)):
        complain(f"only.{name[:50]}: There is no such field; expected {', '.join(_FIELDS)}.")
    begins, ends = _time(given, "begin", complain), _time(given, "end", complain)
    if ("begin" in given) != ("end" in given):
        complain(f"only.{'end' if 'begin' in given else 'begin'}: Hours need a beginning and an end.")
    severity = given.get("severity", "")
    if "severity" in given and severity not in Severity.values:
        complain(f"only.severity: Expected one of: {', '.join(Severity.values)}.")
        severity = ""
    return Condition(_weekdays(given, complain), begins, ends, severity)


def _weekdays(given: Mapping[str, Any], complain: Complain) -> tuple[int, ...]:
    if "weekdays" not in given:
        return ()
    named = given["weekdays"]
    if not isinstance(named, list) or not 0 < len(named) <= 7 or any(each not in WEEKDAYS for each in named):
        complain(f"only.weekdays: Expected a list of at least one of: {', '.join(WEEKDAYS)}.")
        return ()
    days = tuple(sorted({WEEKDAYS.index(each) for each in named}))
    return () if len(days) == 7 else days


def _time(given: Mapping[str, Any], name: str, complain: Complain) -> time | None:
    if name not in given:
        return None
    text = given[name]
    if isinstance(text, str) and _CLOCK.fullmatch(text):
        return time.fromisoformat(text)
    complain(f"only.{name}: Expected hours and minutes, such as 22:00.")
    return None


def _wrapped(begin: int, end: int) -> Iterator[Stretch]:
    """Yield a stretch of at most a week within the week: two where it goes on over its end."""
    length, begin = end - begin, begin % WEEK_S
    yield begin, min(begin + length, WEEK_S)
    if begin + length > WEEK_S:
        yield 0, begin + length - WEEK_S


def _moment(second: int) -> str:
    at = datetime.combine(_MONDAY, time()) + timedelta(seconds=second % WEEK_S)
    shown = f"{at:%H:%M}" if not at.second else f"{at:%H:%M:%S}"
    return f"{WEEKDAYS[at.weekday()].capitalize()} {shown}"


def _list_of(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
