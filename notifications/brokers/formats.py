"""The formats of the originals' messages: each a pure translation, and what is done about the result.

Each app registers its own from ``AppConfig.ready``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from notifications.brokers.messages import Answer, Message


@dataclass(frozen=True, slots=True)
class Format:
    """How the messages of a source are understood.

    ``translate`` is pure: it returns what ``apply`` takes, or raises ``Malformed``.

    ``apply`` does what some commands say, in their order, inside the consumer's transaction, and returns
    what is to be answered to the same broker. A redelivered message comes again: the effect is there once
    by its own keys. What it raises undoes all of these; then they come one by one, so that only the
    guilty one fails: for good with ``Malformed``, ``ValidationError`` or ``Conflict``, else to be tried
    again. Effects that have no keys: ``notifications.brokers.once``.
    """

    name: str
    translate: Callable[[Message], Any]
    apply: Callable[[Sequence[Any]], list[Answer]]


_formats: dict[str, Format] = {}


def register(format_: Format) -> None:
    """Make a format known by its name; again is no fault."""
    if _formats.setdefault(format_.name, format_) != format_:
        raise ImproperlyConfigured(f"Two formats are named {format_.name}.")


def get(name: str) -> Format:
    """Return the format of this name; raises ImproperlyConfigured if there is none."""
    if name not in _formats:
        known = ", ".join(names()) or "none"
        raise ImproperlyConfigured(f"There is no format {name!r}; there are: {known}.")
    return _formats[name]


def names() -> list[str]:
    return sorted(_formats)
