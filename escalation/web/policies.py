"""Policies made and changed by form, with who would be told beside it; nobody writes JSON."""

from functools import cached_property
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.generic import TemplateView

from accounts.ids import uuid7
from config import clock
from config.rest.exceptions import Conflict, TooMany
from escalation.models import Policy, PolicyVersion
from escalation.policies import selectors
from escalation.policies.definition import Definition, rounds_of
from escalation.policies.plan import plan, told_and_silenced
from escalation.policies.problems import problems_of
from escalation.policies.words import name_of, shown_rows
from escalation.services.policies import policy_create, policy_update
from escalation.services.processes import process_start
from escalation.web.policy_forms import NEW, PolicyForm, for_whoever_tries, is_shown_whole
from notifications.models import ContactPoint
from notifications.web import limits
from notifications.web.form_page import refuse
from notifications.web.page import Page, is_htmx

#: What the form calls the fields of a definition.
_NAMES: Final = {"repeat_every_s": "repeat_every", "acknowledge_timeout_s": "acknowledged_for"}


class PoliciesPage(Page, TemplateView):
    """For staff."""

    template_name = "escalation/policies.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: Any = selectors.policies().order_by("name")
        rows = [(each, each.newest[0], len(each.newest[0].steps)) for each in found]
        return super().get_context_data(**kwargs) | {"rows": rows}


class _PolicyForm(Page):
    """A form that says after each press who would be told; it changes nothing until it is saved."""

    def form(self, data: Any = None) -> PolicyForm:
        raise NotImplementedError

    def save(self, form: PolicyForm, definition: Definition) -> Policy:
        raise NotImplementedError

    def shown(self, form: PolicyForm, *, status: int = 200, **context: Any) -> HttpResponse:
        if "foreseen" not in context:
            context["foreseen"] = _foreseen(form)
        context["form"] = form
        return render(self.request, "escalation/policy.html", context, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.shown(self.form())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if "add" in request.POST or "remove" in request.POST:
            data = _with_rows(request.POST)
            foreseen = _foreseen(self.form(data))
            return self.shown(self.form(data).as_typed(), foreseen=foreseen, is_draft=True)
        form = self.form(request.POST)
        if not form.all_valid():
            # What asks by itself while somebody fills it in is answered with what can be said so far.
            return self.shown(form, status=200 if is_htmx(request) else 422)
        if "look" in request.POST:
            return self.shown(form, is_draft=True)
        try:
            with transaction.atomic():
                policy = self.save(form, form.definition())
        except ValidationError as error:
            _refused(form, error)
            return self.shown(form, status=422)
        except Conflict as error:
            form.add_error(None, str(error))
            return self.shown(form, status=409)
        messages.success(request, gettext("Saved. What was started before goes on as it was."))
        return HttpResponseRedirect(reverse("escalation:policy", args=[policy.pk]))


class NewPolicyPage(_PolicyForm):
    """For staff."""

    def form(self, data: Any = None) -> PolicyForm:
        initial = {"version": 0, "time_zone": self.person.time_zone}
        return PolicyForm(data, definition=NEW, initial=initial)

    def save(self, form: PolicyForm, definition: Definition) -> Policy:
        given = form.cleaned_data
        policy, _ = policy_create(
            name=given["name"],
            definition=definition,
            by=self.person,
            may_have_holes=given["may_have_holes"],
        )
        return policy


class PolicyPage(_PolicyForm):
    """For staff. Whoever saves what somebody else has changed meanwhile is shown that first."""

    @cached_property
    def policy(self) -> Policy:
        return get_object_or_404(selectors.policies(), pk=self.kwargs["policy_id"])

    def form(self, data: Any = None) -> PolicyForm:
        newest = selectors.newest_version(self.policy)
        initial = {"name": newest.policy.name, "version": newest.number}
        return PolicyForm(data, definition=selectors.definition_of(newest), initial=initial)

    def shown(self, form: PolicyForm, *, status: int = 200, **context: Any) -> HttpResponse:
        newest = selectors.newest_version(self.policy)
        if not is_shown_whole(form.was):
            return render(self.request, "escalation/policy.html", {"policy": newest.policy, "newest": newest})
        return super().shown(form, status=status, policy=newest.policy, newest=newest, **context)

    def save(self, form: PolicyForm, definition: Definition) -> Policy:
        given = form.cleaned_data
        Policy.objects.select_for_update(no_key=True).get(pk=self.policy.pk)
        newest = selectors.newest_version(self.policy)
        if newest.number != given["version"]:
            seen: Any = form.data
            form.data = {**seen.dict(), "version": str(newest.number)}
            raise Conflict(_changed(newest))
        changes = {
            name: getattr(definition, name)
            for name in Definition.__dataclass_fields__
            if name != "last_resort"
        }
        return policy_update(
            policy=self.policy,
            name=given["name"],
            changes=changes,
            by=self.person,
            may_have_holes=given["may_have_holes"],
        )

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._whole(status=200) or super().get(request, **kwargs)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._whole(status=409) or super().post(request, **kwargs)

    def _whole(self, *, status: int) -> HttpResponse | None:
        """Return the page for a policy that says more than rows can; None for all others."""
        newest = selectors.newest_version(self.policy)
        if is_shown_whole(selectors.definition_of(newest)):
            return None
        context = {"policy": newest.policy, "newest": newest}
        return render(self.request, "escalation/policy.html", context, status=status)


class TestPage(Page):
    """For staff: all steps at their times, each of them to whoever presses the button."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, policy_id: UUID) -> HttpResponse:
        policy = get_object_or_404(selectors.policies(), pk=policy_id)
        version = selectors.newest_version(policy)
        own = ContactPoint.objects.filter(user=self.person, deleted_at=None).values_list("channel", flat=True)
        definition = for_whoever_tries(selectors.definition_of(version), self.person, own)
        now, pk = clock.now(), uuid7()
        found = plan(definition, selectors.world_of(definition, since=now), started_at=now)
        try:
            limits.take_act(self.person)
            if not any(each.is_told for each in found):
                raise Conflict(gettext("Nothing of it would reach you now: add a contact point first."))
            process = process_start(
                process_id=gettext("Test: %(policy)s (%(number)s)")
                % {"policy": policy.name, "number": pk.hex[-6:]},
                notifications=told_and_silenced(found),
                now=now,
                severity=definition.severity,
                started_by=self.person,
            ).process
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("escalation:policy", args=[policy_id]))
        messages.success(request, gettext("Started. You alone are told, at the times of its steps."))
        return HttpResponseRedirect(reverse("escalation:timeline", args=[process.pk]))


def _with_rows(given: Any) -> Any:
    """Return what was sent with a row more, or without one of them."""
    data = given.copy()
    count = int(data["count"]) if data.get("count", "").isdecimal() else 0
    if "remove" in data and data["remove"].isdecimal():
        kept = [number for number in range(count) if number != int(data["remove"])]
        rows = [
            {
                name.removeprefix(f"row-{number}-"): data.getlist(name)
                for name in data
                if name.startswith(f"row-{number}-")
            }
            for number in kept
        ]
        for name in [name for name in data if name.startswith("row-")]:
            del data[name]
        for number, row in enumerate(rows):
            for name, values in row.items():
                data.setlist(f"row-{number}-{name}", values)
        count = len(kept)
    elif "add" in data:
        count += 1
    data["count"] = str(count)
    return data


def _foreseen(form: PolicyForm) -> dict[str, Any] | None:
    """Return the first round of a start now, and what is wrong with it; None where that can't be said yet."""
    try:
        definition = form.definition() if form.is_bound and form.all_valid() else None
    except ValidationError as error:
        _refused(form, error)
        return None
    if not form.is_bound and form.was.steps:
        definition = form.was
    if definition is None:
        return None
    now = clock.now()
    world = selectors.world_of(definition, since=now)
    found = plan(definition, world, started_at=now, last_round=1)
    return {
        "rows": shown_rows(found, started_at=now),
        "problems": problems_of(definition, world, now=now),
        "rounds": rounds_of(definition),
    }


def _refused(form: PolicyForm, error: ValidationError) -> None:
    """Show what is wrong at the form's own fields; what is wrong with steps stands above them."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    refuse(form, ValidationError({_NAMES.get(name, name): said for name, said in error.message_dict.items()}))


def _changed(newest: PolicyVersion) -> str:
    text = gettext("%(name)s has changed it meanwhile, to version %(number)d. Save again to have it as here.")
    return text % {"name": name_of(newest.created_by) or "?", "number": newest.number}
