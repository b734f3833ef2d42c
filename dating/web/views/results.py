"""What an evening came to, for those who run it."""

from django.http import HttpResponse
from django.shortcuts import render

from dating.web.results import FULL, plots_of
from dating.web.views.shared import EventPage


class ResultsPage(EventPage):
    for_organiser = True

    def shown(self) -> HttpResponse:  # type: ignore[override]
        context = {"event": self.event, "plots": plots_of(self.event), "full": FULL}
        return render(self.request, "dating/results.html", context)
