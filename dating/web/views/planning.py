"""Making an evening, and changing one that people may have registered for."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext

from config import clock
from config.rest.exceptions import Conflict
from config.zones import zone_of
from dating.models import Event
from dating.services.events import event_create
from dating.services.locking import event_lock
from dating.services.moving import MOVABLE, event_move, places_set
from dating.web.planning_forms import ChangeForm, EveningForm, at_fields, shown_settings
from notifications.web.console import done
from notifications.web.form_page import FormPage


class NewEveningPage(FormPage):
    template_name = "dating/new.html"
    form_class = EveningForm

    def get_form_kwargs(self) -> dict[str, Any]:
        blank = Event(organiser=self.person, time_zone=self.person.time_zone)
        initial = shown_settings(blank) | {"at": "20:00"}
        return super().get_form_kwargs() | {"of": blank, "initial": initial}

    def act(self, form: EveningForm) -> HttpResponse:
        try:
            event = event_create(now=clock.now(), starts_at=form.starts_at(), **form.settings())
        except ValidationError as error:
            raise at_fields(error) from error
        done.note(self.person, event, is_new=True)
        messages.success(self.request, gettext("The evening is open: people can register."))
        return HttpResponseRedirect(reverse("dating:runsheet", args=[event.pk]))


class ChangePage(FormPage):
    """Another title, time, number of places or organiser; everybody in it is told, as the services say."""

    template_name = "dating/change.html"
    form_class = ChangeForm

    def get_form_kwargs(self) -> dict[str, Any]:
        self.event = get_object_or_404(
            Event.objects.select_related("organiser", "rule"), pk=self.kwargs["event_id"]
        )
        local = self.event.starts_at.astimezone(zone_of(self.event.time_zone))
        initial = {
            "title": self.event.title,
            "day": local.date(),
            "at": local.strftime("%H:%M"),
            "places": self.event.places,
            "organiser": self.event.organiser.email if self.event.organiser else "",
        }
        return super().get_form_kwargs() | {"initial": initial}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {"event": self.event, "can_move": self.event.step in MOVABLE}

    def act(self, form: ChangeForm) -> HttpResponse:
        try:
            _change(self.event, form)
        except ValidationError as error:
            raise at_fields(error) from error
        done.note(self.person, self.event, changed=labels_of(form))
        messages.success(self.request, gettext("Saved. Everyone in it hears of a new time or title."))
        return HttpResponseRedirect(reverse("dating:runsheet", args=[self.event.pk]))


@transaction.atomic
def _change(event: Event, form: ChangeForm) -> None:
    """Change what a form changes, all or nothing.

    Raises:
        Conflict: it is too late.
        ValidationError: by the event's fields.
    """
    now, given = clock.now(), form.cleaned_data
    if event_lock(event.pk).is_over:
        raise Conflict(gettext("This evening is over."))
    if "organiser" in form.changed_data:
        Event.objects.filter(pk=event.pk).update(organiser=given["organiser"])
    event_move(event=event, starts_at=form.starts_at(event), title=given["title"], now=now)
    if "places" in form.changed_data:
        places_set(event=event, places=given["places"], now=now)


def labels_of(form: Form) -> list[str]:
    """Return what a form changes, as it calls it."""
    fields = [form.fields[name] for name in form.changed_data if name != "shown"]
    return [str(field.label) for field in fields]
