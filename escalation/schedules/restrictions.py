"""Restrictions as they are written and stored: checked, and in one form.

{"weekdays": ["fri", "sat"], "begin": "22:00", "end": "06:00"}
"""

import re
from collections.abc import Iterable
from datetime import time
from typing import Any, Final

from django.core.exceptions import ValidationError

from escalation.schedules.hours import WEEKDAYS, Restriction

MAX_RESTRICTIONS: Final = 20
_FIELDS: Final = {"weekdays", "begin", "end"}
_CLOCK: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


def restrictions_of(given: Any) -> tuple[Restriction, ...]:
    """Return restrictions.

    Raises:
        ValidationError: they are not as they should be; each message says where.
    """
    if not isinstance(given, list) or len(given) > MAX_RESTRICTIONS:
        raise ValidationError(f"Expected a list of at most {MAX_RESTRICTIONS} restrictions.")
    problems = [
        f"restriction {place}: {problem}"
        for place, each in enumerate(given, start=1)
        for problem in _problems(each)
    ]
    if problems:
        raise ValidationError(problems)
    return tuple(
        Restriction(
            tuple(weekday for weekday in WEEKDAYS if weekday in each["weekdays"]),
            time.fromisoformat(each["begin"]),
            time.fromisoformat(each["end"]),
        )
        for each in given
    )


def as_json(restrictions: Iterable[Restriction]) -> list[dict[str, Any]]:
    return [
        {"weekdays": list(each.weekdays), "begin": f"{each.begin:%H:%M}", "end": f"{each.end:%H:%M}"}
        for each in restrictions
    ]


def _problems(given: Any) -> Iterable[str]:
    if not isinstance(given, dict) or set(given) != _FIELDS:
        yield "Expected an object with weekdays, begin and end."
        return
    weekdays = given["weekdays"]
    if not isinstance(weekdays, list) or not weekdays or not all(day in WEEKDAYS for day in weekdays):
        yield f"weekdays: Expected a list of one or more of: {', '.join(WEEKDAYS)}."
    for name in ("begin", "end"):
        if not isinstance(given[name], str) or not _CLOCK.fullmatch(given[name]):
            yield f"{name}: Expected a time of day, such as 08:00."
