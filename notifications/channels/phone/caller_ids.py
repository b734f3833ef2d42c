"""Caller ids: which of the account's numbers a call shows, by the longest prefix of who is called.

The registry is a small table that the operator edits, read before calls are composed (`use`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from django.conf import settings

from config import sql

DEFAULT: Final = "default"
READ: Final = "SELECT prefix, number FROM notifications_callerid"

_read: dict[str, str] = {}


def use(rows: Iterable[tuple[str, str]]) -> None:
    """Take these rows, prefix and number, for the registry from now on, in this process."""
    global _read
    _read = dict(rows)


def caller_id(number: str) -> str:
    """Return the caller id for calls to a number, by the registry as last read; "" where there is none."""
    return chosen(number, _read) or settings.TWILIO_CALL_FROM


def chosen(number: str, registry: Mapping[str, str]) -> str:
    """Return the entry of the longest prefix that fits, else the default one, else "". Pure."""
    prefixes = (number[:length] for length in range(len(number), 0, -1))
    return next(filter(None, map(registry.get, prefixes)), None) or registry.get(DEFAULT, "")


def are_there() -> bool:
    """Return whether there is any caller id; asks the database, where the settings name none."""
    return bool(settings.TWILIO_CALL_FROM or sql.value(f"SELECT EXISTS ({READ})"))
