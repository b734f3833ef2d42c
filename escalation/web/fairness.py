"""The page of how the time on call was shared, for whoever takes turns and for the staff."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.views.generic import TemplateView

from config import clock
from config.digits import whole
from escalation.figures.reading import LONGEST, USUAL
from escalation.figures.shares import PersonalLoad, Shares, shares_of
from escalation.schedules.selectors import schedules_visible_to
from escalation.timelines.words import span_of
from notifications.web.page import Page

#: Days that the page offers.
PERIODS: Final = (30, 90, 365)
_SPANS: Final = ("on_call_s", "night_s", "weekend_s", "longest_s", "since_time_off_s")


class FairnessPage(Page, TemplateView):
    template_name = "escalation/fairness.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        days = whole(self.request.GET.get("days", ""), most=LONGEST.days) or USUAL.days
        schedules = list(schedules_visible_to(self.person).order_by("name"))
        chosen = self._chosen(schedules)
        now = clock.now()
        shares = shares_of([chosen] if chosen else schedules, begin=now - timedelta(days=days), end=now)
        return super().get_context_data(**kwargs) | {
            "days": days,
            "periods": PERIODS,
            "schedules": schedules,
            "chosen": chosen,
            "people": [_shown(each, shares) for each in shares.people],
        }

    def _chosen(self, schedules: list[Any]) -> Any:
        """Return the schedule that is asked for; None for all."""
        given = self.request.GET.get("schedule", "")
        if not given:
            return None
        try:
            asked = UUID(given)
        except ValueError:
            raise Http404
        found = next((each for each in schedules if each.pk == asked), None)
        if found is None:
            raise Http404
        return found


def _shown(load: PersonalLoad, shares: Shares) -> dict[str, Any]:
    """Return what a row says, durations in words."""
    spans = {name: span_of(timedelta(seconds=getattr(load, name))) for name in _SPANS}
    share = round(100 * load.on_call_s / shares.on_call_s) if shares.on_call_s else 0
    return spans | {
        "name": load.name,
        "share": share,
        "turns": load.turns,
        "pages": load.pages,
        "pages_at_night": load.pages_at_night,
    }
