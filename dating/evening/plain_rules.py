"""Recurrence rules that plain fields can say: every n weeks on some weekdays, or each month's nth weekday."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy, ngettext

_CODES: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
#: Which of a month's weekdays; 0: every week.
NTH: Final[dict[int, Any]] = {
    0: gettext_lazy("Each week"),
    1: gettext_lazy("The first of the month"),
    2: gettext_lazy("The second of the month"),
    3: gettext_lazy("The third of the month"),
    4: gettext_lazy("The fourth of the month"),
    -1: gettext_lazy("The last of the month"),
}
DAYS: Final = [(number, name) for number, name in sorted(WEEKDAYS.items())]


@dataclass(frozen=True, slots=True)
class PlainRule:
    """``days`` are weekdays from 0, Monday; ``every`` counts weeks, or months where ``nth`` isn't 0."""

    days: tuple[int, ...]
    every: int = 1
    nth: int = 0
    until: date | None = None

    def __str__(self) -> str:
        """Return the RRULE (RFC 5545, 3.3.10)."""
        parts = ["FREQ=MONTHLY" if self.nth else "FREQ=WEEKLY"]
        if self.every != 1:
            parts.append(f"INTERVAL={self.every}")
        number = str(self.nth or "")
        parts.append("BYDAY=" + ",".join(f"{number}{_CODES[day]}" for day in self.days))
        if self.until:
            parts.append(f"UNTIL={self.until:%Y%m%d}")
        return ";".join(parts)

    @property
    def words(self) -> str:
        """Return it as people say it: ``Friday, every 2 weeks``."""
        days = ", ".join(str(WEEKDAYS[day]) for day in self.days)
        if self.nth:
            said = ngettext("every month", "every %(count)d months", self.every) % {"count": self.every}
            said = f"{NTH[self.nth]}, {said}"
        else:
            said = ngettext("every week", "every %(count)d weeks", self.every) % {"count": self.every}
        if self.until:
            until = gettext("until %(day)s") % {"day": date_format(self.until)}
            said = f"{said}, {until}"
        return f"{days}, {said}"


def plain(rrule: str, starts_on: date) -> PlainRule | None:
    """Return what a rule says if plain fields can say it, else None."""
    parts = dict(_pair(part) for part in rrule.strip().upper().removeprefix("RRULE:").split(";") if part)
    # The first day of the week makes no difference where every week counts.
    if parts.get("WKST") == "MO" or parts.get("INTERVAL", "1") == "1":
        parts.pop("WKST", None)
    if parts.keys() - {"FREQ", "INTERVAL", "BYDAY", "UNTIL"}:
        return None
    days = parts["BYDAY"].split(",") if "BYDAY" in parts else []
    numbers = {day[:-2] for day in days}
    try:
        every = int(parts.get("INTERVAL", "1"))
        until = _day(parts["UNTIL"]) if "UNTIL" in parts else None
        weekdays = tuple(sorted({_CODES.index(day[-2:]) for day in days}))
        nth = int(numbers.pop() or 0) if len(numbers) == 1 else 0
    except ValueError:
        return None
    match parts.get("FREQ"):
        case "WEEKLY" if not numbers and nth == 0:
            return PlainRule(weekdays or (starts_on.weekday(),), every, until=until)
        case "MONTHLY" if not numbers and nth in NTH and nth and weekdays:
            return PlainRule(weekdays, every, nth, until)
    return None


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  (a day has no zone)
