"""The page of figures, for the staff."""

from datetime import timedelta
from typing import Any, Final

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext
from django.views.generic import TemplateView

from config import clock
from config.digits import whole
from escalation.figures.reading import LONGEST, USUAL, Sums, figures_of
from escalation.timelines.words import span_of
from notifications.web.page import Page

#: Days that the page offers.
PERIODS: Final = (7, 30, 90, 365)


class FiguresPage(Page, TemplateView):
    template_name = "escalation/figures.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        days = whole(self.request.GET.get("days", ""), most=LONGEST.days) or USUAL.days
        now = clock.now()
        figures = figures_of(since=now - timedelta(days=days), until=now, time_zone=self.person.time_zone)
        return super().get_context_data(**kwargs) | {
            "figures": figures,
            "days": days,
            "periods": PERIODS,
            "tables": [
                (
                    "policies",
                    gettext("By policy"),
                    gettext("Policy"),
                    [(each.name, _shown(each)) for each in figures.policies],
                ),
                (
                    "sources",
                    gettext("By source"),
                    gettext("Source"),
                    [(each.name, _shown(each)) for each in figures.sources],
                ),
                (
                    "shops",
                    gettext("By shop"),
                    gettext("Shop"),
                    [(each.name, _shown(each)) for each in figures.shops],
                ),
                (
                    "hours",
                    gettext("By hour of the week"),
                    gettext("Hour"),
                    [(_hour(each), _shown(each)) for each in figures.hours],
                ),
            ],
            "total": _shown(figures.total),
        }


def _shown(sums: Sums) -> dict[str, Any]:
    """Return what a row says, durations in words."""
    shown: dict[str, Any] = {
        name: getattr(sums, name)
        for name in ("incidents", "acknowledged", "over", "unanswered", "open", "resolved")
    }
    for name, spread in (("to_acknowledge", sums.to_acknowledge), ("to_resolve", sums.to_resolve)):
        shown[name] = spread and [
            span_of(timedelta(seconds=round(each))) for each in (spread.mean_s, spread.median_s, spread.p90_s)
        ]
    return shown


def _hour(sums: Sums) -> str:
    return f"{WEEKDAYS[(sums.hour_of_week or 0) // 24]}, {sums.hour}:00"
