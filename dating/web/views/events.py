"""Which evenings there are."""

from typing import Any

from django.views.generic import TemplateView

from accounts.models import User
from config import clock
from dating import selectors
from dating.evening.steps import OVER
from dating.links import calendar_url
from dating.models import Event, Registration
from dating.services import profile_lacks
from dating.services.places import COMING
from notifications.web.page import Page

#: Evenings that are shown at most: those to come, and those of one's own that are over.
_AHEAD, _PAST = 50, 20


def ran_by(person: User) -> list[Event]:
    """Return the evenings that somebody ran, or that were called off, the newest first."""
    over = Event.objects.filter(step__in=OVER).order_by("-starts_at", "-pk")
    return list((over if person.is_staff else over.filter(organiser=person))[:_PAST])


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
            "ran": ran_by(self.person),
            "coming": COMING,
            "State": Registration.State,
            "now": clock.now(),
        }
