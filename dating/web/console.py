"""What the console shows of evenings: those that run, and those of today; and finds."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from config.digits import id_in
from dating.evening.steps import State
from dating.selectors import events_with_counts
from notifications.web.console.finding import MOST, Hit, when
from notifications.web.console.panels import PEOPLE, Panel

_AHEAD: Final = timedelta(days=1)
_MOST: Final = 20


def evenings(now: datetime) -> Mapping[str, Any] | None:
    running = events_with_counts().filter(state=State.RUNNING).order_by("starts_at")[:_MOST]
    soon = events_with_counts().filter(state__lt=State.RUNNING, starts_at__lte=now + _AHEAD)
    shown = [*running, *soon.order_by("starts_at")[:_MOST]]
    return {"evenings": [(each, each.state == State.RUNNING) for each in shown]} if shown else None


def found(person: User, text: str) -> Iterator[Hit]:
    named = events_with_counts().filter(Q(title__icontains=text) | Q(pk=id_in(text)))
    for event in named.order_by("-starts_at")[:MOST]:
        about = f"{when(event.starts_at)}, {event.get_step_display()}"
        yield Hit(gettext("Evening"), event.title, about, reverse("dating:runsheet", args=[event.pk]))


PANEL: Final = Panel("evenings", gettext_lazy("Evenings"), "dating/_console.html", evenings, PEOPLE + 1)
