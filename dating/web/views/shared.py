"""What the pages about an evening share: whose it is, and forms that answer with the part that htmx shows."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext

from config.rest.exceptions import Conflict, TooMany
from dating.models import Event
from dating.selectors import runs
from notifications.web.page import Page, is_htmx


class EventPage(Page):
    """A page about one event, which everybody who is logged in may see, unless it says otherwise."""

    event: Event
    #: Only for whoever runs the event.
    for_organiser: ClassVar[bool] = False

    def get(self, request: HttpRequest, event_id: UUID, **kwargs: Any) -> HttpResponse:
        self.event = self.found(event_id)
        return self.shown()

    def found(self, event_id: UUID) -> Event:
        event = get_object_or_404(Event.objects.select_related("organiser"), pk=event_id)
        if self.for_organiser and not runs(self.person, event):
            raise PermissionDenied
        return event

    def shown(self, **more: Any) -> HttpResponse:
        """Return the page, or the part of it that moves."""
        raise NotImplementedError


class EventChange(EventPage):
    """Something done about an event by a button. With htmx, the answer is what to show; else the way back."""

    http_method_names = ["post"]
    #: The route of the page that the button is on.
    back: ClassVar[str]

    def act(self) -> str:
        """Do it, and return what to say of it; Conflict, ValidationError or TooMany: why it can't be done."""
        raise NotImplementedError

    def post(self, request: HttpRequest, event_id: UUID) -> HttpResponse:
        self.event = self.found(event_id)
        said, refusal = "", ""
        try:
            said = self.act()
        except (Conflict, TooMany) as error:
            refusal = str(error)
        except ValidationError as error:
            refusal = " ".join(error.messages)
        if is_htmx(request):
            self.event = self.found(event_id)
            # With 200: htmx shows nothing of other answers.
            return self.shown(refusal=refusal)
        (messages.error if refusal else messages.success)(request, refusal or said)
        return HttpResponseRedirect(reverse(self.back, args=[self.event.pk]))

    def given_id(self, name: str) -> UUID:
        """Return an id that the form holds; ValidationError: it holds none."""
        try:
            return UUID(self.request.POST.get(name, ""))
        except ValueError:
            raise ValidationError(gettext("%(name)s: expected an id.") % {"name": name}) from None


def part(request: HttpRequest, template: str, fingerprint: str, context: dict[str, Any]) -> HttpResponse:
    """Return the part of a page that moves, unless it stands there already; then nothing is touched."""
    if request.method == "GET" and request.GET.get("seen") == fingerprint:
        return HttpResponse(status=204)
    return render(request, template, context)
