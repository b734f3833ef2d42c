"""The console's panel of evenings: those that run, and those of today."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from accounts.models import User
from dating.evening.steps import State
from dating.selectors import events_with_counts
from notifications.web.console.panels import PEOPLE, Panel

_AHEAD: Final = timedelta(days=1)
_MOST: Final = 20


def evenings(person: User, now: datetime) -> Mapping[str, Any] | None:
    running = events_with_counts().filter(state=State.RUNNING).order_by("starts_at")[:_MOST]
    soon = events_with_counts().filter(state__lt=State.RUNNING, starts_at__lte=now + _AHEAD)
    shown = [*running, *soon.order_by("starts_at")[:_MOST]]
    return {"evenings": [(each, each.state == State.RUNNING) for each in shown]} if shown else None


PANEL: Final = Panel("evenings", "Evenings", "dating/_console.html", evenings, PEOPLE + 1)
