"""What somebody is told, when, and where."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.generic import TemplateView

from accounts.models import User
from accounts.services.users import user_update
from config.exceptions import TooMany
from notifications.models import ContactPoint, Preference, Subscription
from notifications.services import contact_points
from notifications.services.preferences import preference_set, subscription_remove, subscription_set
from notifications.web import limits, switches
from notifications.web.form_page import Section
from notifications.web.forms.preferences import ContactPointForm, TellingForm, channel_label
from notifications.web.page import Page

TEMPLATE = "web/preferences.html"


def everything(person: User) -> dict[str, Any]:
    """Return what the page shows."""
    preference = Preference.objects.filter(user=person).first() or Preference(user=person)
    subscriptions = list(Subscription.objects.filter(user=person))
    channels = switches.channels_of(person)
    rows = switches.table(subscriptions, channels)
    fields = {name: getattr(preference, name) for name in ("level", "quiet_from", "quiet_until", "digest")}
    return {
        "telling": TellingForm(
            person=person, initial=fields | {"time_zone": person.time_zone}, auto_id="telling_%s"
        ),
        "channels": [channel_label(name) for name in channels],
        "rows": rows,
        "other_rules": switches.others(subscriptions, rows),
        "points": [(point, channel_label(point.channel)) for point in own_points(person)],
        "new_point": ContactPointForm(auto_id="new_point_%s"),
    }


def own_points(person: User) -> QuerySet[ContactPoint]:
    """A person's own, whatever else they may see as staff."""
    return ContactPoint.objects.filter(user=person, deleted_at=None)


class PreferencesPage(Page, TemplateView):
    template_name = TEMPLATE

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | everything(self.person)


class _PreferencesSection(Section):
    template_name = TEMPLATE
    page = "web:preferences"

    def everything(self) -> dict[str, Any]:
        return everything(self.person)


class TellingSection(_PreferencesSection):
    """Of what, and when not."""

    name = "telling"
    form_class = TellingForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"person": self.person}

    def act(self, form: TellingForm) -> HttpResponse:
        changes = dict(form.cleaned_data)
        time_zone = changes.pop("time_zone")
        with transaction.atomic():
            user_update(user=User.objects.get(pk=self.person.pk), time_zone=time_zone)
            preference_set(user=self.person, **changes)
        return self.done("Saved.")


class NewPointSection(_PreferencesSection):
    name = "new_point"
    form_class = ContactPointForm

    def act(self, form: ContactPointForm) -> HttpResponse:
        contact_points.contact_point_create(user=self.person, **form.cleaned_data)
        return self.done("Added. Send a test to see that it works.")


class _Change(Page):
    """Something done to the preferences by a button."""

    http_method_names = ["post"]

    def point(self, point_id: UUID) -> ContactPoint:
        return get_object_or_404(own_points(self.person), pk=point_id)

    def done(self, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return HttpResponseRedirect(reverse("web:preferences"))


class SwitchesChange(_Change):
    """Turn those switches that are to be other than they are; those that the page didn't show stay."""

    def post(self, request: HttpRequest) -> HttpResponse:
        shown, on = set(request.POST.getlist("shown")), set(request.POST.getlist("on"))
        rows = switches.table(
            Subscription.objects.filter(user=self.person), switches.channels_of(self.person)
        )
        with transaction.atomic():
            for each in (switch for row in rows for switch in row.switches):
                if each.name in shown and each.is_on != (each.name in on):
                    subscription_set(
                        user=self.person, channel=each.channel, kind=each.kind, is_enabled=not each.is_on
                    )
        return self.done("Saved.")


class RuleRemove(_Change):
    def post(self, request: HttpRequest) -> HttpResponse:
        channel, kind = request.POST.get("channel", ""), request.POST.get("kind", "")
        subscription_remove(user=self.person, channel=channel, kind=kind)
        return self.done("The rule is removed.")


class PointTest(_Change):
    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        point = self.point(point_id)
        try:
            limits.take(scope="test-send", who=str(self.person.pk))
        except TooMany as error:
            messages.error(request, str(error))
            context = everything(self.person)
            return render(request, TEMPLATE, context, status=429)
        contact_points.contact_point_test_send(contact_point=point)
        return self.done(f"A test message is on its way to {point.label or point.address or point.channel}.")


class PointSwitch(_Change):
    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        is_enabled = request.POST.get("enabled") == "yes"
        contact_points.contact_point_update(contact_point=self.point(point_id), is_enabled=is_enabled)
        return self.done("Switched on." if is_enabled else "Switched off.")


class PointRemove(_Change):
    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        contact_points.contact_point_remove(contact_point=self.point(point_id))
        return self.done("Removed.")
