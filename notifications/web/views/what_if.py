"""What somebody's last weeks would have been, had they preferred otherwise."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts.models import User
from config import clock
from notifications.disclosure import notices_read
from notifications.engine.recipients import Recipient
from notifications.services import what_if
from notifications.services.preferences import channel_hours_set, preference_set, subscription_set
from notifications.web.forms.preferences import channel_label
from notifications.web.forms.what_if import WhatIfForm
from notifications.web.page import Page
from notifications.web.views.preferences import preference_of

DAYS: Final = 30


class _WhatIf(Page):
    def shown(self, form: WhatIfForm, *, status: int = 200, **more: Any) -> HttpResponse:
        context: dict[str, Any] = {"form": form, "days": DAYS, "told": form.person, **more}
        if form.is_bound and form.is_valid():
            since = clock.now() - timedelta(days=DAYS)
            found = what_if.what_if(user=form.person, wish=form.wish(), since=since)
            notices_read([each.delivery.notification for each in found.changes], user=self.person)
            changes = [
                (each.delivery, channel_label(each.delivery.channel), _words(each.now), _words(each.then))
                for each in found.changes
            ]
            context |= {"found": found, "counts": _counts(found), "changes": changes}
        elif form.is_bound:
            status = 422
        return render(self.request, "web/what_if.html", context, status=status)


def form_of(request: HttpRequest, person: User) -> WhatIfForm:
    asked = request.POST if request.method == "POST" else request.GET
    given = asked if "level" in asked else None
    return WhatIfForm(given, person=person, preference=preference_of(person))


def _counts(found: what_if.WhatIf) -> list[tuple[str, list[tuple[int, int, int]]]]:
    """Return by channel how many were at once, later and not, how many would be, and the difference."""
    outcomes = (what_if.AT_ONCE, what_if.LATER, what_if.NOT_TOLD)
    return [
        (
            channel_label(channel),
            [(now[each], then[each], then[each] - now[each]) for each in outcomes],
        )
        for channel, (now, then) in sorted(found.counts.items())
    ]


def _words(to: Recipient) -> str:
    if not to.is_told:
        return gettext("not told")
    if not to.reason:
        return gettext("at once")
    return gettext("held until %(at)s") % {"at": date_format(timezone.localtime(to.due_at), "j M, H:i")}


class WhatIfPage(_WhatIf):
    """One's own, which can be saved once it has been seen."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(form_of(request, self.person), is_own=True)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = form_of(request, self.person)
        if not form.is_valid():
            return self.shown(form, is_own=True, status=422)
        with transaction.atomic():
            preference_set(user=self.person, **form.changes())
            channel_hours_set(user=self.person, hours=form.hours())
            if rule := form.rule():
                subscription_set(user=self.person, **rule)
        messages.success(request, gettext("Saved."))
        return HttpResponseRedirect(reverse("web:preferences"))


class PersonWhatIfPage(_WhatIf):
    """Another person's, for the staff, to be seen alone."""

    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        return self.shown(form_of(request, get_object_or_404(User, pk=user_id)))
