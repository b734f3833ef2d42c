"""Which evenings there are."""

from typing import Any

from django.views.generic import TemplateView

from config import clock
from dating import selectors
from dating.evening.steps import OVER
from dating.links import calendar_url
from dating.models import Registration
from dating.services import profile_lacks
from dating.services.places import COMING
from notifications.web.page import Page

#: Evenings that are shown at most: those to come, and those of one's own that are over.
_AHEAD, _PAST = 50, 20


class EventsPage(Page, TemplateView):
    template_name = "dating/events.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        ahead = list(selectors.events_with_counts().exclude(step__in=OVER).order_by("starts_at")[:_AHEAD])
        mine = {
            registration.event_id: registration for registration in selectors.registrations_of(self.person)
        }
        past = [registration for registration in mine.values() if registration.event.is_over][:_PAST]
        return super().get_context_data(**kwargs) | {
            "evenings": [(event, mine.get(event.pk)) for event in ahead],
            "past": past,
            "lacks": profile_lacks(self.person),
            "calendar": calendar_url(self.person),
            "runs": [event for event in ahead if selectors.runs(self.person, event)],
            "coming": COMING,
            "State": Registration.State,
            "now": clock.now(),
        }
