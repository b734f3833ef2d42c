"""Test messages that the staff send to others' contact points, from any page that lists these."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from accounts.ranks import OUTRANKED, may_act_on
from config.rest.exceptions import Conflict, TooMany
from notifications import selectors
from notifications.models import ContactPoint
from notifications.services.delivery_actions import contact_point_try
from notifications.web import limits
from notifications.web.page import Page, is_htmx, page_behind
from notifications.web.tried import remember, tried


class TryPage(Page):
    """Send a test message, and say what came of it, on the page that has the button.

    That page includes ``web/console/_try.html`` for each contact point, with ``shown.point`` and
    ``shown.tried``, which ``notifications.web.tried.shown_to_staff`` finds.
    """

    http_method_names = ["get", "post"]
    #: The template that says what came of it.
    part = "web/console/_tried.html"

    def get(self, request: HttpRequest, point_id: UUID, **kwargs: Any) -> HttpResponse:
        """Return what came of the last one, for the page that asks again until that is known."""
        point = self.point(point_id)
        result = tried(request, [point]).get(point_id)
        if result is None or not is_htmx(request):
            return HttpResponseRedirect(self.home(point))
        return render(request, self.part, self.context() | {"point": point, "tried": result})

    def post(self, request: HttpRequest, point_id: UUID, **kwargs: Any) -> HttpResponse:
        point = self.point(point_id)
        if not may_act_on(self.person, point.user):
            raise PermissionDenied(OUTRANKED)
        try:
            limits.take(scope="test-send", who=str(self.person.pk))
            remember(request, contact_point_try(contact_point=point, by=self.person, via="web"))
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        back = page_behind(request) or self.home(point)
        return HttpResponseRedirect(f"{back}#try-{point.pk}")

    def point(self, point_id: UUID) -> ContactPoint:
        return get_object_or_404(selectors.contact_points_visible_to(self.person), pk=point_id)

    def home(self, point: ContactPoint) -> str:
        """Return the path of a page that lists this contact point."""
        return reverse("web:person", args=[point.user_id])

    def context(self) -> dict[str, Any]:
        """Return what the template of the result needs besides."""
        return {}
