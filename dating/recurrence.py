"""When a rule such as "every Friday at eight" has its evenings: by local time, whatever the clocks do."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from config.zones import zone_of

#: No more than these at once: a rule is asked again later for what comes after.
AT_MOST: Final = 400
#: A rule without a single day within this (the 30th of February) is a mistake.
_SOON: Final = timedelta(days=366 * 8)
#: A rule's days are counted from its first one, every time: not from the Middle Ages on.
_FIRST: Final = date(2000, 1, 1)

_NUMBERS: Final = r"[+-]?\d{1,2}(,[+-]?\d{1,2})*"
_DAYS: Final = r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)"
#: The parts of an RRULE that are understood, and what each looks like.
_PARTS: Final = {
    "FREQ": re.compile(r"YEARLY|MONTHLY|WEEKLY|DAILY"),
    "INTERVAL": re.compile(r"[1-9]\d{0,2}"),
    "UNTIL": re.compile(r"\d{8}(T\d{6}Z?)?"),
    "BYDAY": re.compile(rf"{_DAYS}(,{_DAYS})*"),
    "BYMONTHDAY": re.compile(_NUMBERS),
    "BYMONTH": re.compile(_NUMBERS),
    "BYSETPOS": re.compile(_NUMBERS),
    "WKST": re.compile(_DAYS),
}


class BadRule(ValueError):
    """The text says what is wrong with the rule, for whoever wrote it."""


def occurrences(
    rule: str, *, starts_on: date, at: time, time_zone: str, after: datetime, until: datetime
) -> list[datetime]:
    """Return the times of a rule that are later than ``after`` and not later than ``until``, in UTC.

    ``rule`` is the value of an RRULE of days (RFC 5545, 3.3.10), ``at`` the time of day by the clocks of
    ``time_zone``, and ``starts_on`` the first day that may count. The evening is at ``at`` before and after
    a change of the clocks. A time that the clocks skip is moved on by as much as they skip, and of a time
    that comes twice the first is taken (RFC 5545, 3.3.5).

    Raises:
        BadRule: the rule can't be understood.
    """
    zone = zone_of(time_zone)
    # A day more on both sides: where the clocks are, it may be another day.
    begin = after.astimezone(zone).date() - timedelta(days=1)
    end = until.astimezone(zone).date() + timedelta(days=1)
    # The way through UTC makes a skipped time a real one.
    moments = (
        datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        for day in _days_of(rule, starts_on=starts_on, until=end)
        if day >= begin
    )
    return list(islice((each for each in moments if after < each <= until), AT_MOST))


def rule_check(rule: str, *, starts_on: date) -> None:
    """Raise ``BadRule`` unless this is a rule of days that has a day at all, and soon enough."""
    until = starts_on + min(_SOON, date.max - starts_on)
    if next(_days_of(rule, starts_on=starts_on, until=until), None) is None:
        raise BadRule("There is no day that fits this rule.")


def _days_of(rule: str, *, starts_on: date, until: date) -> Iterator[date]:
    parts = _parse(rule)
    if starts_on < _FIRST:
        raise BadRule(f"The first day can't be before {_FIRST}.")
    if "UNTIL" in parts:
        until = min(until, _date(parts.pop("UNTIL")))
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        # The end keeps a rule without any day from being searched up to the year 9999.
        days = rrulestr(text, dtstart=_midnight(starts_on)).replace(until=_midnight(until))
    except (ValueError, TypeError) as error:
        raise BadRule(f"This rule can't be understood: {error}.") from error
    return (day.date() for day in days)


def _parse(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").removesuffix(";").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS or name in parts:
            known = ", ".join(_PARTS)
            raise BadRule(f'An RRULE such as "FREQ=WEEKLY;BYDAY=FR" is expected, of {known}, each once.')
        if not _PARTS[name].fullmatch(value):
            raise BadRule(f"{name} can't be {value[:40] or 'empty'}.")
        parts[name] = value
    if "FREQ" not in parts:
        raise BadRule("FREQ is missing: YEARLY, MONTHLY, WEEKLY or DAILY.")
    return parts


def _date(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise BadRule(f"UNTIL can't be {text}.") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
