"""One person, for the staff: where they are told, what they were told, and how they would be."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.models import User
from config import clock
from notifications import selectors
from notifications.disclosure import notices_read
from notifications.explanations import explain
from notifications.web import failures
from notifications.web.console import parts
from notifications.web.forms.foreseen import ForeseenForm, foreseen
from notifications.web.forms.history import HistoryForm
from notifications.web.page import Page
from notifications.web.tried import shown_to_staff

SHOWN: Final = 20
COUNTED: Final = timedelta(days=30)


class PersonPage(Page):
    """For staff. Whoever reads notices of a domain that notes it is noted."""

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        person = get_object_or_404(User, pk=user_id)
        now = clock.now()
        theirs = selectors.deliveries_visible_to(self.person).filter(user=person)
        newest = list(theirs.order_by("-pk")[:SHOWN])
        notices_read([each.notification for each in newest], user=self.person)
        recent = selectors.created_from(theirs, now - COUNTED).order_by()
        errors = failures.last_errors(newest)
        form = ForeseenForm(request.GET if "kind" in request.GET else None)
        points = list(selectors.contact_points_visible_to(self.person).filter(user=person))
        span = HistoryForm({"person": str(person.pk)}, auto_id="told_%s")
        context: dict[str, Any] = {
            "told": person,
            "name": f"{person.first_name} {person.last_name}".strip() or person.email,
            "points": shown_to_staff(request, self.person, points),
            "shops": person.memberships.filter(left_at=None).select_related("shop").order_by("shop__name"),
            "parts": parts.shown(person, now),
            "span": span,
            "spans": span.spans(now),
            "rows": [(each, explain(each), errors.get(each.pk, "")) for each in newest],
            "counts": recent.values_list("channel").annotate(count=Count("pk")).order_by("-count", "channel"),
            "form": form,
        }
        if form.is_valid():
            context["foreseen"] = foreseen(person, form.asked(now), points={each.pk: each for each in points})
        status = 422 if form.is_bound and not form.is_valid() else 200
        return render(request, "web/console/person.html", context, status=status)
