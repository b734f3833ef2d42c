"""The page of the holes that there are."""

from collections.abc import Iterable
from typing import Any

from django.views.generic import TemplateView

from config import clock
from escalation.holes.reading import OfOne, holes_seen_by
from notifications.web.page import Page


class HolesPage(Page, TemplateView):
    template_name = "escalation/holes.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = holes_seen_by(self.person, now=clock.now())
        return super().get_context_data(**kwargs) | {"person": self.person, "holes": shown(found)}


def shown(found: Iterable[OfOne]) -> list[dict[str, Any]]:
    return [hole for each in found for hole in each.shown()]
