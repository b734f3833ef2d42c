"""The tags and filters that message templates may use, and no others."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final

from django.template import Library, defaultfilters, defaulttags
from django.utils import dateformat
from django.utils.dateparse import parse_date, parse_datetime

from notifications.cutting import before_link

register = Library()

_LONGEST_ARGUMENT: Final = 100
_LONGEST_JOIN: Final = 4_000

# None of these reaches outside the template, and none makes much text out of little.
_TAGS: Final[dict[str, Callable[..., Any]]] = {
    "comment": defaulttags.comment,
    "for": defaulttags.do_for,
    "if": defaulttags.do_if,
    "with": defaulttags.do_with,
}
_FILTERS: Final = (
    "capfirst", "default", "first", "last", "length", "lower", "pluralize", "title", "truncatewords",
    "upper", "yesno",
)  # fmt: skip

for _name, _function in _TAGS.items():
    register.tag(_name, _function)
for _name in _FILTERS:
    register.filter(_name, getattr(defaultfilters, _name))


@register.filter
def join(value: Any, separator: Any) -> str:
    """Put a list's items into one text, within bounds: Django's own can be chained into gigabytes."""
    items = value if isinstance(value, list) else [value]
    return str(separator)[:_LONGEST_ARGUMENT].join(map(str, items))[:_LONGEST_JOIN]


@register.filter
def truncatechars(value: Any, length: Any) -> str:
    """Cut a text as Django does, but no link in two."""
    text = unicodedata.normalize("NFC", str(value))
    cut: str = defaultfilters.truncatechars(text, length)
    return cut if cut == text else f"{before_link(text, len(cut.removesuffix('…')))}…"


@register.filter("date")
def date_in_utc(value: Any, form: Any = "Y-m-d H:i") -> Any:
    """Show Unix seconds or an ISO 8601 text in UTC, by Django's date letters; leave what is no time."""
    at = _moment(value)
    return value if at is None else dateformat.format(at, str(form)[:_LONGEST_ARGUMENT])


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        if not isinstance(value, str):
            return datetime.fromtimestamp(value, UTC)
        at: datetime | date | None = parse_datetime(value) or parse_date(value)
        # Which the first and the last day of the calendar don't survive in every zone.
        if isinstance(at, datetime) and at.tzinfo:
            return at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if isinstance(at, datetime):
        return at.replace(tzinfo=UTC)
    return datetime.combine(at, time(tzinfo=UTC)) if at else None
