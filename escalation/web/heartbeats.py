"""The page of heartbeats, for the staff."""

from typing import Any, Final

from django.db.models import Case, When
from django.utils.translation import gettext
from django.views.generic import TemplateView

from config import clock
from escalation.models import Heartbeat
from notifications.web.page import Page

State = Heartbeat.State
PAGE_SIZE: Final = 100


class HeartbeatsPage(Page, TemplateView):
    """Those that are down first, then those that are waited for, by when they are due."""

    template_name = "escalation/heartbeats.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        order = Case(When(state=State.DOWN, then=0), When(state=State.UP, then=1), default=2)
        heartbeats = Heartbeat.objects.select_related("shop", "policy")
        heartbeats = heartbeats.order_by(order, "due_at", "name", "pk")
        only = self.request.GET.get("state", "")
        if only in State.values:
            heartbeats = heartbeats.filter(state=only)
        number = self.request.GET.get("page", "1")
        is_one = number.isascii() and number.isdigit() and len(number) < 6
        page = max(1, min(int(number), 10_000)) if is_one else 1
        now = clock.now()
        shown = list(heartbeats[(page - 1) * PAGE_SIZE : page * PAGE_SIZE + 1])
        states = [(each, each.state_at(now)) for each in shown[:PAGE_SIZE]]
        return super().get_context_data(**kwargs) | {
            "heartbeats": [(each, state, _label(state)) for each, state in states],
            "states": State.choices,
            "state": only,
            "next": page + 1 if len(shown) > PAGE_SIZE else None,
        }


def _label(state: str) -> str:
    return gettext("Late") if state == Heartbeat.LATE else str(State(state).label)
