"""Where the links lead, and those to calendars; with or without the slash: no POST may meet a redirect."""

from django.urls import path

from escalation.acknowledging.views import AcknowledgeLinkPage
from escalation.api.views.schedules import CalendarLinkView

urlpatterns = [
    path("acknowledge/<str:token>/", AcknowledgeLinkPage.as_view(), name="acknowledge-link"),
    path("acknowledge/<str:token>", AcknowledgeLinkPage.as_view()),
    path("calendars/<str:token>.ics", CalendarLinkView.as_view(schema=None), name="calendar-link"),
]
