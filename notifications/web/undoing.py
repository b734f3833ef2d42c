"""What was just taken away can be brought back by a button on the next page, for a while."""

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest

_KEY: Final = "undo"


def button(text: str, address: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what ``web/_undo.html`` shows: what was done, and a form with these fields that undoes it."""
    return {"text": text, "address": address, "fields": dict(fields or {})}


def offer(request: HttpRequest, undo: dict[str, Any]) -> None:
    """Have the next page show such a button."""
    request.session[_KEY] = undo


def take(request: HttpRequest) -> dict[str, Any] | None:
    """Return what is to be shown, which is forgotten with that."""
    # Asked first: whoever pops changes the session, and has it written.
    found: dict[str, Any] | None = request.session.pop(_KEY) if _KEY in request.session else None
    return found
