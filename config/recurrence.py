"""When a rule such as "every Friday at eight" has its days: by local time, whatever the clocks do."""

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from config.zones import zone_of

#: No more than these at once: a rule is asked again later for what comes after.
AT_MOST: Final = 400
#: A rule without a single day within this (the 30th of February) is a mistake.
_SOON: Final = timedelta(days=366 * 8)
#: A rule's days are counted from its first one, every time: not from the Middle Ages on.
_FIRST: Final = date(2000, 1, 1)

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY: Final = "|".join(_WEEKDAYS)
#: The parts of an RRULE that are understood, and what each looks like; of a list, each of its values.
_PARTS: Final = {
    "FREQ": re.compile(r"YEARLY|MONTHLY|WEEKLY|DAILY"),
    "INTERVAL": re.compile(r"[1-9][0-9]{0,2}"),
    "UNTIL": re.compile(r"[0-9]{8}(T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z?)?"),
    "BYDAY": re.compile(rf"([+-]?[0-9]{{1,2}})?({_WEEKDAY})"),
    "BYMONTHDAY": re.compile(r"[+-]?[0-9]{1,2}"),
    "BYMONTH": re.compile(r"[0-9]{1,2}"),
    "BYSETPOS": re.compile(r"[+-]?[0-9]{1,3}"),
    "WKST": re.compile(_WEEKDAY),
}
_LISTS: Final = ("BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS")
#: The largest number of a list's values, counted from the front or, with a minus, from the back.
_LARGEST: Final = {"BYMONTHDAY": 31, "BYMONTH": 12, "BYSETPOS": 366}
#: The largest number before a weekday, by what it is counted in; without one there is none.
_LARGEST_OF_WEEKDAYS: Final = {"MONTHLY": 5, "YEARLY": 53}


class BadRule(ValueError):
    """The text says what is wrong with the rule, for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class _Until:
    """The end of a rule: its last day, or the last moment; one without a zone is by the rule's own clocks."""

    last: date | datetime

    @property
    def day(self) -> date:
        """No day after it counts, whatever the zone."""
        if not isinstance(self.last, datetime):
            return self.last
        day = self.last.date()
        return day if day == date.max else day + timedelta(days=1)

    def includes(self, moment: datetime) -> bool:
        if not isinstance(self.last, datetime):
            return True
        return moment <= (self.last if self.last.tzinfo else self.last.replace(tzinfo=moment.tzinfo))


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of days (RFC 5545, 3.3.10). Weekdays are from 0, Monday, each with its number or 0."""

    freq: str
    interval: int
    until: "_Until"
    weekdays: Sequence[tuple[int, int]]
    month_days: Sequence[int]
    months: Sequence[int]
    places: Sequence[int]
    week_begins: int


def occurrences(
    rule: str, *, starts_on: date, at: time, time_zone: str, after: datetime, until: datetime
) -> list[datetime]:
    """Return the times of a rule that are later than ``after`` and not later than ``until``, in UTC.

    ``rule`` is the value of an RRULE of days (RFC 5545, 3.3.10), ``at`` the time of day by the clocks of
    ``time_zone``, and ``starts_on`` the first day that may count. They are at ``at`` before and after
    a change of the clocks. A time that the clocks skip is moved on by as much as they skip, and of a time
    that comes twice the first is taken (RFC 5545, 3.3.5).

    Raises:
        BadRule: the rule can't be understood.
    """
    zone = zone_of(time_zone)
    # A day more on both sides: where the clocks are, it may be another day.
    begin = after.astimezone(zone).date() - timedelta(days=1)
    end = until.astimezone(zone).date() + timedelta(days=1)
    local = _moments(_parsed(rule, starts_on), starts_on, at, zone, since=begin, until=end)
    # The way through UTC makes a skipped time a real one.
    moments = (moment.astimezone(UTC) for moment in local)
    return list(islice((moment for moment in moments if after < moment <= until), AT_MOST))


def rule_check(rule: str, *, starts_on: date, at: time, time_zone: str) -> None:
    """Raise ``BadRule`` unless this is a rule of days that has a day at all, and soon enough."""
    until = starts_on + min(_SOON, date.max - starts_on)
    parsed = _parsed(rule, starts_on)
    if next(_moments(parsed, starts_on, at, zone_of(time_zone), since=starts_on, until=until), None) is None:
        raise BadRule("There is no day that fits this rule.")


def _moments(
    rule: _Rule, starts_on: date, at: time, zone: ZoneInfo, *, since: date, until: date
) -> Iterator[datetime]:
    """Yield the times of a rule on the days from ``since`` to ``until``, by the clocks of its zone."""
    for day in _days_of(rule, starts_on=starts_on, since=since, until=until):
        moment = datetime.combine(day, at, tzinfo=zone)
        if rule.until.includes(moment):
            yield moment


# --- Days ---------------------------------------------------------------------------------------------


def _days_of(rule: _Rule, *, starts_on: date, since: date, until: date) -> Iterator[date]:
    """Yield the days of a rule, in order. Libraries look for one that no day fits up to the year 9999."""
    if starts_on < _FIRST:
        raise BadRule(f"The first day can't be before {_FIRST}.")
    until = min(until, rule.until.day)
    for begin, length in _periods(rule, starts_on, until):
        if (since - begin).days >= length:
            continue
        days = (begin + timedelta(days=number) for number in range(min(length, (date.max - begin).days + 1)))
        fitting = [day for day in days if _fits(rule, day)]
        if rule.places:
            places = {place - 1 if place > 0 else len(fitting) + place for place in rule.places}
            fitting = [day for place, day in enumerate(fitting) if place in places]
        yield from (day for day in fitting if max(starts_on, since) <= day <= until)


def _periods(rule: _Rule, starts_on: date, until: date) -> Iterator[tuple[date, int]]:
    """Yield the first day and the length of each day, week, month or year that the rule is about."""
    if rule.freq in ("DAILY", "WEEKLY"):
        length = 1 if rule.freq == "DAILY" else 7
        back = (starts_on.weekday() - rule.week_begins) % 7 if length == 7 else 0
        begin = starts_on - timedelta(days=back)
        for number in range(0, (until - begin).days + 1, length * rule.interval):
            yield begin + timedelta(days=number), length
        return
    step = rule.interval * (12 if rule.freq == "YEARLY" else 1)
    first = starts_on.year * 12 + (0 if rule.freq == "YEARLY" else starts_on.month - 1)
    for months in range(first, until.year * 12 + until.month, step):
        begin = date(months // 12, months % 12 + 1, 1)
        is_year = rule.freq == "YEARLY"
        yield begin, _days_in_year(begin.year) if is_year else monthrange(begin.year, begin.month)[1]


def _fits(rule: _Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    of_month = monthrange(day.year, day.month)[1]
    if rule.month_days and not {day.day, day.day - of_month - 1} & set(rule.month_days):
        return False
    if not rule.weekdays:
        return True
    # A weekday's number counts in the year where no month is named, and else in the month.
    in_year = rule.freq == "YEARLY" and not rule.months
    number, of_all = (day.timetuple().tm_yday, _days_in_year(day.year)) if in_year else (day.day, of_month)
    from_front, from_back = (number - 1) // 7 + 1, -((of_all - number) // 7 + 1)
    return any(
        day.weekday() == weekday and nth in (0, from_front, from_back) for weekday, nth in rule.weekdays
    )


def _days_in_year(year: int) -> int:
    return 366 if monthrange(year, 2)[1] == 29 else 365


# --- Text ---------------------------------------------------------------------------------------------


def _parsed(text: str, starts_on: date) -> _Rule:
    parts = _parts(text)
    lists = {name: parts.get(name, "").split(",") if name in parts else [] for name in _LISTS}
    if lists["BYMONTHDAY"] and parts["FREQ"] == "WEEKLY":
        raise BadRule("BYMONTHDAY can't go with FREQ=WEEKLY.")
    if lists["BYSETPOS"] and not (lists["BYDAY"] or lists["BYMONTHDAY"] or lists["BYMONTH"]):
        raise BadRule("BYSETPOS needs another part that begins with BY.")
    months, month_days, places = (
        [_number(name, value, _LARGEST[name]) for value in lists[name]]
        for name in ("BYMONTH", "BYMONTHDAY", "BYSETPOS")
    )
    weekdays = [_weekday(parts["FREQ"], value) for value in lists["BYDAY"]]
    if not weekdays and not month_days:  # what it leaves open, its first day says
        match parts["FREQ"]:
            case "WEEKLY":
                weekdays = [(starts_on.weekday(), 0)]
            case "MONTHLY":
                month_days = [starts_on.day]
            case "YEARLY":
                months, month_days = months or [starts_on.month], [starts_on.day]
    return _Rule(
        freq=parts["FREQ"],
        interval=int(parts.get("INTERVAL", "1")),
        until=_Until(_last(parts["UNTIL"]) if "UNTIL" in parts else date.max),
        weekdays=weekdays,
        month_days=month_days,
        months=months,
        places=places,
        week_begins=_WEEKDAYS.index(parts.get("WKST", "MO")),
    )


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").removesuffix(";").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS or name in parts:
            known = ", ".join(_PARTS)
            raise BadRule(
                f'Expected an RRULE such as "FREQ=WEEKLY;BYDAY=FR", with {known}, each at most once.'
            )
        for item in value.split(",") if name in _LISTS else [value]:
            if not _PARTS[name].fullmatch(item):
                raise BadRule(f"{name} can't be {item[:40] or 'empty'}.")
        parts[name] = value
    if "FREQ" not in parts:
        raise BadRule("FREQ is missing: YEARLY, MONTHLY, WEEKLY or DAILY.")
    return parts


def _number(name: str, value: str, largest: int) -> int:
    number = int(value)
    if not 1 <= abs(number) <= largest:
        raise BadRule(f"{name} can't be {value}: only up to {largest}.")
    return number


def _weekday(freq: str, value: str) -> tuple[int, int]:
    weekday, number = _WEEKDAYS.index(value[-2:]), value[:-2]
    if not number:
        return weekday, 0
    if freq not in _LARGEST_OF_WEEKDAYS:
        raise BadRule(f"BYDAY can't be {value}: numbers go with MONTHLY and YEARLY only.")
    return weekday, _number("BYDAY", number, _LARGEST_OF_WEEKDAYS[freq])


def _last(text: str) -> date | datetime:
    try:
        if "T" not in text:
            return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  (a day has no zone)
        last = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
        return last.replace(tzinfo=UTC) if text.endswith("Z") else last
    except ValueError:
        raise BadRule(f"UNTIL can't be {text}.") from None
