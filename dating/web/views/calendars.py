"""Files for people's calendars, behind links that nobody can guess."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.generic import View

from config import clock
from dating import invitations, links
from dating.evening.calendar_files import CONTENT_TYPE


class _CalendarFile(View):
    http_method_names = ["get", "head", "options"]

    def answer(self, ics: str, name: str, method: str = "") -> HttpResponse:
        of_method = f"; method={method}" if method else ""
        response = HttpResponse(ics, content_type=f"{CONTENT_TYPE}{of_method}")
        response["Content-Disposition"] = f'attachment; filename="{name}.ics"'
        # The address is the key to it.
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response


class InvitationFile(_CalendarFile):
    """Somebody's part in an event, as it is now: an invitation, or its cancelling."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        registration = links.invited(token)
        if registration is None:
            raise Http404
        method = invitations.invitation_of(registration).method
        return self.answer(invitations.ics_of(registration, now=clock.now()), "invitation", method)


class CalendarFile(_CalendarFile):
    """All that somebody takes part in."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        user = links.subscriber(token)
        if user is None:
            raise Http404
        return self.answer(invitations.feed_of(user, now=clock.now()), "evenings")
