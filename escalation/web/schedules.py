"""A schedule's own page: its weeks drawn, and overrides made by hand."""

from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from config import clock
from config.zones import zone_of
from escalation.models import ScheduleOverride
from escalation.policies.words import name_of
from escalation.schedules.selectors import people_by_id, roster_of, schedules_visible_to
from escalation.schedules.weeks import DAY, DAYS, ROW, weeks_of
from escalation.services.schedules import override_create, override_remove
from notifications.web.form_page import FormPage
from notifications.web.page import Page

WEEKS: Final = 4
_YEARS: Final = (2000, 2099)


class OverrideForm(forms.Form):
    user = forms.ChoiceField(label=gettext_lazy("Who stands in"))
    starts_at = forms.DateTimeField(
        label=gettext_lazy("From"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    ends_at = forms.DateTimeField(
        label=gettext_lazy("Until"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )

    def __init__(self, *args: Any, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].choices = [("", gettext("Choose one")), *people]  # type: ignore[attr-defined]


class SchedulePage(FormPage):
    """For staff and its people: four weeks from a Monday. Staff have somebody stand in."""

    template_name = "escalation/schedule.html"
    form_class = OverrideForm

    @cached_property
    def schedule(self) -> Any:
        return get_object_or_404(schedules_visible_to(self.person), pk=self.kwargs["schedule_id"])

    def get_form_kwargs(self) -> dict[str, Any]:
        people = people_by_id(self.schedule).values()
        active = sorted((name_of(each), str(each.pk)) for each in people if each.is_active)
        return super().get_form_kwargs() | {"people": [(pk, name) for name, pk in active]}

    def get_initial(self) -> dict[str, Any]:
        """Return the times that a block of the drawing leads to."""
        given = {name: self.request.GET.get(name, "") for name in ("starts_at", "ends_at")}
        return {**super().get_initial(), **{name: at for name, text in given.items() if (at := _time(text))}}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        schedule, now = self.schedule, clock.now()
        names = {pk: name_of(user) for pk, user in people_by_id(schedule).items()}
        labels = [
            layer.name or gettext("Layer %(number)d") % {"number": number}
            for number, layer in enumerate(schedule.in_layers, start=1)
        ]
        first = _monday(self.request.GET.get("from", ""))
        roster = roster_of(schedule)
        zone = timezone.get_current_timezone_name()
        step = timedelta(days=DAYS * WEEKS)
        return super().get_context_data(**kwargs) | {
            "schedule": schedule,
            "weeks": weeks_of(
                roster,
                labels,
                names,
                first=first,
                count=WEEKS,
                zone=zone_of(zone),
            ),
            "zone": zone,
            "first": first,
            "earlier": first - step,
            "later": first + step,
            "width": DAYS * DAY,
            "row": ROW,
            "overrides": [
                (each, name_of(each.user), name_of(each.instead_of))
                for each in schedule.standing_in
                if each.ends_at > now
            ],
        }

    def act(self, form: OverrideForm) -> HttpResponse:
        if not self.person.is_staff:
            raise PermissionDenied
        schedule, given = self.schedule, form.cleaned_data
        override_create(
            schedule=schedule,
            user_id=UUID(given["user"]),
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
        )
        messages.success(self.request, gettext("They stand in. Who is on call has changed."))
        return HttpResponseRedirect(reverse("escalation:schedule", args=[schedule.pk]))


class OverrideRemovePage(Page):
    """For staff."""

    http_method_names = ["post"]

    def post(self, request: Any, override_id: UUID) -> HttpResponse:
        override = get_object_or_404(ScheduleOverride, pk=override_id)
        override_remove(override=override)
        messages.success(request, gettext("Removed. Whoever was on call before is again."))
        return HttpResponseRedirect(reverse("escalation:schedule", args=[override.schedule_id]))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if _YEARS[0] <= at.year <= _YEARS[1] else None


def _monday(given: str) -> date:
    """Return the Monday of a day, or of today where none is given."""
    day = timezone.localdate()
    try:
        chosen = date.fromisoformat(given)
        day = chosen if _YEARS[0] <= chosen.year <= _YEARS[1] else day
    except ValueError:
        pass
    return day - timedelta(days=day.weekday())
