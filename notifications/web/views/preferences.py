"""What somebody is told, when, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import TemplateView

from accounts.models import User
from accounts.services.users import user_update
from config import clock
from config.rest.exceptions import Conflict, TooMany
from notifications.channels import registry, webpush
from notifications.channels.transport import signing
from notifications.models import ChannelHours, ContactPoint, Preference, Severity, Subscription
from notifications.services import confirmations, contact_points
from notifications.services.own_steps import own_steps_naming, own_steps_set, own_steps_shown
from notifications.services.preferences import (
    channel_hours_set,
    preference_set,
    subscription_remove,
    subscription_set,
)
from notifications.web import limits, switches, undoing
from notifications.web.form_page import Section
from notifications.web.forms.foreseen import ForeseenForm, foreseen
from notifications.web.forms.hours import HoursForm
from notifications.web.forms.own_steps import OwnStepsForm
from notifications.web.forms.preferences import ContactPointForm, TellingForm, channel_label
from notifications.web.page import Page, is_htmx
from notifications.web.tried import Tried, remember, tried

TEMPLATE = "web/preferences.html"
# In the session: the webhook whose secret is to be shown, once.
REVEALS: Final = "reveals"

HERE_UNCONFIRMED: Final = gettext_lazy(
    "You already have it, but it isn't confirmed. Enter the code that was sent there, or ask for another."
)
STILL_COMES: Final = gettext_lazy(
    "Messages already planned for it will still come, such as later rounds of an escalation. Remove it to "
    "stop them too."
)

STEPS_LEAD_NOWHERE: Final = gettext_lazy(
    "A step of yours for {} escalations led there. Until you change it, all your contact points are told "
    "then."
)


def preference_of(person: User) -> Preference:
    return Preference.objects.filter(user=person).first() or Preference(user=person)


def everything(request: HttpRequest, person: User) -> dict[str, Any]:
    preference = preference_of(person)
    subscriptions = list(Subscription.objects.filter(user=person))
    channels = switches.channels_of(person)
    rows = switches.table(person, subscriptions, channels)
    points = list(own_points(person))
    fields = {name: getattr(preference, name) for name in ("level", "quiet_from", "quiet_until", "digest")}
    return {
        "telling": TellingForm(
            person=person, initial=fields | {"time_zone": person.time_zone}, auto_id="telling_%s"
        ),
        "channels": [channel_label(name) for name in channels],
        "rows": rows,
        "other_rules": switches.others(subscriptions, rows),
        "points": shown_points(request, points),
        "steps": OwnStepsForm(points=points, shown=own_steps_shown(preference, points), auto_id="steps_%s"),
        "new_point": ContactPointForm(auto_id="new_point_%s"),
        "web_push_key": webpush.public_key(),
        "hours": HoursForm(
            channels=channels, shown=ChannelHours.objects.filter(user=person), auto_id="hours_%s"
        ),
        **_foreseen(request, person, points),
    }


def _foreseen(request: HttpRequest, person: User, points: Iterable[ContactPoint]) -> dict[str, Any]:
    """Return the question, and its answer: of a critical alert now, where nothing else is asked."""
    form = ForeseenForm(request.GET if "kind" in request.GET else None, auto_id="question_%s")
    asked = {"kind": "alert", "severity": Severity.CRITICAL.value, "at": clock.now()}
    if form.is_bound:
        if not form.is_valid():
            return {"question": form, "foreseen": None}
        asked = form.asked(clock.now())
    by_id = {each.pk: each for each in points}
    return {"question": form, "foreseen": foreseen(person, asked, points=by_id)}


@dataclass(frozen=True, slots=True)
class ShownPoint:
    point: ContactPoint
    channel: str
    tried: Tried | None
    #: What its messages are signed with, in the one answer that shows it.
    secret: str


def shown_points(request: HttpRequest, points: Iterable[ContactPoint]) -> list[ShownPoint]:
    points = list(points)
    results = tried(request, points)
    reveals = request.session.pop(REVEALS) if REVEALS in request.session else ""
    return [
        ShownPoint(
            each,
            channel_label(each.channel),
            results.get(each.pk),
            signing.secret_for(each.pk, each.secret_version) if str(each.pk) == reveals else "",
        )
        for each in points
    ]


def own_points(person: User) -> QuerySet[ContactPoint]:
    """A person's own, whatever else they may see as staff."""
    return ContactPoint.objects.filter(user=person, deleted_at=None)


class PreferencesPage(Page, TemplateView):
    template_name = TEMPLATE

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | everything(self.request, self.person)


class _PreferencesSection(Section):
    template_name = TEMPLATE
    page = "web:preferences"

    def everything(self) -> dict[str, Any]:
        return everything(self.request, self.person)


class TellingSection(_PreferencesSection):
    """Of what, when not, and which of it where: one form, so that nothing of it is lost to the rest."""

    name = "telling"
    form_class = TellingForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"person": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return context | {"rows": switches.as_posted(context["rows"], *self._switched())}

    def act(self, form: TellingForm) -> HttpResponse:
        changes = dict(form.cleaned_data)
        time_zone = changes.pop("time_zone")
        with transaction.atomic():
            user_update(user=User.objects.get(pk=self.person.pk), time_zone=time_zone)
            preference_set(user=self.person, **changes)
            # Turn those switches that are to be other than they are; those that the page didn't show stay.
            shown, on = self._switched()
            if shown:
                held = Subscription.objects.filter(user=self.person)
                rows = switches.table(self.person, held, switches.channels_of(self.person))
                for each in (switch for row in rows for switch in row.switches):
                    if each.name in shown and each.is_on != (each.name in on):
                        subscription_set(
                            user=self.person, channel=each.channel, kind=each.kind, is_enabled=not each.is_on
                        )
        return self.done(gettext("Saved."))

    def _switched(self) -> tuple[set[str], set[str]]:
        """Return the names of the switches that the page has shown, and of those that are on."""
        return set(self.request.POST.getlist("shown")), set(self.request.POST.getlist("on"))


class OwnStepsSection(_PreferencesSection):
    """By which steps escalations tell them."""

    name = "steps"
    form_class = OwnStepsForm

    def get_form_kwargs(self) -> dict[str, Any]:
        preference, points = preference_of(self.person), list(own_points(self.person))
        there = {"points": points, "shown": own_steps_shown(preference, points)}
        return super().get_form_kwargs() | there

    def act(self, form: OwnStepsForm) -> HttpResponse:
        own_steps_set(user=self.person, **form.steps())
        return self.done(gettext("Saved. It holds from the next escalation on."))


class HoursSection(_PreferencesSection):
    """When each channel may tell them."""

    name = "hours"
    form_class = HoursForm

    def get_form_kwargs(self) -> dict[str, Any]:
        shown = ChannelHours.objects.filter(user=self.person)
        there = {"channels": switches.channels_of(self.person), "shown": shown}
        return super().get_form_kwargs() | there

    def act(self, form: HoursForm) -> HttpResponse:
        channel_hours_set(user=self.person, hours=form.hours())
        return self.done(gettext("Saved. What is held already keeps its time."))


class NewPointSection(_PreferencesSection):
    name = "new_point"
    form_class = ContactPointForm

    def act(self, form: ContactPointForm) -> HttpResponse:
        limits.take_act(self.person)
        point, is_new = contact_points.contact_point_create(
            user=self.person, vouched=confirmations.may_vouch(self.person), **form.cleaned_data
        )
        if not is_new:
            return self.done(gettext("You already have it.") if point.confirmed_at else str(HERE_UNCONFIRMED))
        if registry.get(point.channel).is_signed:
            self.request.session[REVEALS] = str(point.pk)
        if point.confirmed_at is None:
            return self.done(
                gettext("Added. A code is on its way there. Enter it below to get messages there.")
            )
        return self.done(gettext("Added. Send a test to see that it works."))


class _Change(Page):
    """Something done to the preferences by a button."""

    http_method_names = ["post"]

    def point(self, point_id: UUID) -> ContactPoint:
        return get_object_or_404(own_points(self.person), pk=point_id)

    def failed(self, text: str) -> HttpResponse:
        messages.error(self.request, text)
        return HttpResponseRedirect(reverse("web:preferences"))

    def done(self, text: str, *, undo: str = "", fields: dict[str, str] | None = None) -> HttpResponse:
        """Say what was done, and offer a button that undoes it: by posting these fields to that address."""
        if undo:
            undoing.offer(self.request, undoing.button(text, undo, fields))
        else:
            messages.success(self.request, text)
        return HttpResponseRedirect(reverse("web:preferences"))


class _PointChange(_Change):
    """One whose refusal is said where its button is."""

    def act(self, point: ContactPoint) -> HttpResponse:
        """Do it.

        Raises:
            ValidationError, Conflict, TooMany: it can't be done.
        """
        raise NotImplementedError

    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        try:
            return self.act(self.point(point_id))
        except TooMany as error:
            text, status = str(error), 429
        except Conflict as error:
            text, status = str(error), 409
        except ValidationError as error:
            text, status = " ".join(error.messages), 422
        context = everything(request, self.person) | {"refusal": text, "refused_id": point_id}
        return render(request, TEMPLATE, context, status=status)


class RuleRemove(_Change):
    def post(self, request: HttpRequest) -> HttpResponse:
        channel, kind = request.POST.get("channel", ""), request.POST.get("kind", "")
        rule = Subscription.objects.filter(user=self.person, channel=channel, kind=kind).first()
        subscription_remove(user=self.person, channel=channel, kind=kind)
        if rule is None:
            return self.done(gettext("The rule has been removed."))
        fields = {"channel": channel, "kind": kind, "enabled": "yes" if rule.is_enabled else "no"}
        return self.done(
            gettext("The rule has been removed."), undo=reverse("web:rule-restore"), fields=fields
        )


class RuleRestore(_Change):
    """Make a rule again that was removed."""

    def post(self, request: HttpRequest) -> HttpResponse:
        channel, kind = request.POST.get("channel", ""), request.POST.get("kind", "")
        is_enabled = request.POST.get("enabled") == "yes"
        try:
            subscription_set(user=self.person, channel=channel, kind=kind, is_enabled=is_enabled)
        except ValidationError as error:
            return self.failed(" ".join(error.messages))
        return self.done(gettext("The rule has been restored."))


class PointTest(_PointChange):
    """Send a test message, and say what came of it."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        """Return what came of the last one, for the page that asks again until that is known."""
        if not is_htmx(request):
            return HttpResponseRedirect(reverse("web:preferences"))
        shown = shown_points(request, [self.point(point_id)])[0]
        return render(request, "web/_tried.html", {"shown": shown})

    def act(self, point: ContactPoint) -> HttpResponse:
        limits.take(scope="test-send", who=str(self.person.pk))
        remember(self.request, contact_points.contact_point_test_send(contact_point=point))
        return HttpResponseRedirect(f"{reverse('web:preferences')}#tried-{point.pk}")


class PointSecret(_PointChange):
    """Sign with a new secret from now on, and show it once."""

    def act(self, point: ContactPoint) -> HttpResponse:
        contact_points.contact_point_rotate_secret(contact_point=point)
        self.request.session[REVEALS] = str(point.pk)
        return self.done(
            gettext("There is a new secret. For a while, messages are signed with the old one too.")
        )


class PointCode(_PointChange):
    """Have another code sent to a contact point."""

    def act(self, point: ContactPoint) -> HttpResponse:
        confirmations.code_send(contact_point=point, now=clock.now())
        return self.done(gettext("A code is on its way. Earlier codes are void."))


class PointConfirm(_PointChange):
    """Enter the code that came there."""

    def act(self, point: ContactPoint) -> HttpResponse:
        code = self.request.POST.get("code", "").strip()
        confirmations.contact_point_confirm(contact_point=point, code=code, now=clock.now())
        if not point.is_enabled:
            return self.done(gettext("Thank you, this is confirmed. Switch it on to get messages there."))
        return self.done(gettext("Thank you, this is confirmed. You'll get messages there from now on."))


class PointSwitch(_Change):
    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        is_enabled = request.POST.get("enabled") == "yes"
        try:
            point = contact_points.contact_point_update(
                contact_point=self.point(point_id), is_enabled=is_enabled
            )
        except Conflict as error:
            return self.failed(str(error))
        if is_enabled:
            if point.confirmed_at:
                return self.done(gettext("Switched on."))
            return self.done(gettext("Switched on. You'll get nothing there until you confirm it."))
        still_comes = contact_points.has_waiting(point)
        said = gettext("Switched off.")
        return self.done(f"{said} {STILL_COMES}" if still_comes else said)


class PointRemove(_Change):
    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        point = self.point(point_id)
        named = own_steps_naming(point)
        contact_points.contact_point_remove(contact_point=point)
        said = gettext("Removed.")
        if named:
            said = f"{said} {STEPS_LEAD_NOWHERE.format(', '.join(named))}"
        return self.done(said, undo=reverse("web:point-restore", args=[point_id]))


class PointRestore(_Change):
    """Bring back what was removed a moment ago."""

    def post(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        removed = ContactPoint.objects.filter(user=self.person).exclude(deleted_at=None)
        point = get_object_or_404(removed, pk=point_id)
        try:
            contact_points.contact_point_restore(contact_point=point, now=clock.now())
        except Conflict as error:
            return self.failed(str(error))
        return self.done(gettext("It has been restored."))
