"""Recurring evenings: rules in plain fields, which are saved once their next dates have been seen."""

import copy
from datetime import time
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.generic import TemplateView

from config import clock
from config.recurrence import BadRule
from config.zones import local_time, zone_of
from dating.evening.plain_rules import plain
from dating.evening.steps import OVER
from dating.models import RecurringRule
from dating.services.rules import Coming, rule_coming, rule_save
from dating.web.planning_forms import RuleForm, at_fields, shown_rule
from dating.web.views.planning import labels_of
from notifications.web.console import done
from notifications.web.form_page import FormPage
from notifications.web.page import Page, is_htmx

#: Dates that are shown of a rule; and rules, and evenings of one.
DATES: Final = 8
_RULES: Final = 200
_EVENINGS: Final = 20
_USUAL: Final = time(20)


class RulesPage(Page, TemplateView):
    template_name = "dating/rules.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = clock.now()
        rules = RecurringRule.objects.order_by("-is_active", "title", "pk")[:_RULES]
        return super().get_context_data(**kwargs) | {
            "rules": [(rule, in_words(rule), _next(rule, now)) for rule in rules]
        }


def in_words(rule: RecurringRule) -> str:
    """Return how often a rule has its day, as people say it if plain fields can."""
    said = plain(rule.rrule, rule.starts_on)
    return said.words if said else rule.rrule


def _next(rule: RecurringRule, now: Any) -> str:
    try:
        times = rule_coming(rule, now=now, count=1)
    except BadRule:
        return ""
    return local_time(times[0].at, rule.time_zone) if times else ""


class RulePage(FormPage):
    """A rule, or a new one. It is saved once its next dates have been shown as they will be."""

    template_name = "dating/rule.html"
    form_class = RuleForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.is_asked = False

    def get_form_kwargs(self) -> dict[str, Any]:
        if "rule_id" in self.kwargs:
            found = RecurringRule.objects.select_related("organiser")
            self.rule = get_object_or_404(found, pk=self.kwargs["rule_id"])
        else:
            zone = self.person.time_zone
            today = timezone.localdate(clock.now(), zone_of(zone))
            self.rule = RecurringRule(organiser=self.person, time_zone=zone, starts_on=today, at=_USUAL)
        initial = shown_rule(self.rule) | ({"days": ()} if self.rule._state.adding else {})
        return super().get_form_kwargs() | {"of": self.rule, "initial": initial}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form: RuleForm = kwargs.pop("form", None) or self.get_form()
        draft, coming = self._coming(form)
        is_new = self.rule._state.adding
        ahead = [] if is_new else self.rule.events.exclude(step__in=OVER).order_by("starts_at")[:_EVENINGS]
        return super().get_context_data(form=form, **kwargs) | {
            "rule": None if is_new else self.rule,
            "coming": coming,
            "fingerprint": fingerprint(coming),
            "zone": zone_of(draft.time_zone),
            "is_asked": self.is_asked,
            "evenings": list(ahead),
        }

    def _coming(self, form: RuleForm) -> tuple[RecurringRule, list[Coming] | None]:
        """Return the rule with the times of the form, and its next dates; None where it says no times."""
        draft = copy.copy(self.rule)
        if not (form.says_when() if form.is_bound else draft.title):
            return draft, None
        if form.is_bound:
            _set(draft, form.when())
        try:
            return draft, rule_coming(draft, now=clock.now(), count=DATES)
        except BadRule:
            return draft, None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_htmx(request):  # something in the form is changed: what are its dates now?
            return render(request, "dating/_dates.html", self.get_context_data())
        return super().post(request, *args, **kwargs)

    def act(self, form: RuleForm) -> HttpResponse:
        draft, coming = self._coming(form)
        _set(draft, form.rule_fields())
        try:
            draft.full_clean()
            if fingerprint(coming) != form.cleaned_data["shown"]:
                self.is_asked = True
                return self.shown_again(form)
            apart = rule_save(rule=draft, now=clock.now())
        except ValidationError as error:
            by_text = bool(form.cleaned_data["rrule"])
            raise at_fields(error, {} if by_text else {"rrule": "days"}) from error
        is_new = self.rule._state.adding
        done.note(self.person, draft, is_new=is_new, changed=labels_of(form))
        messages.success(self.request, gettext("Saved. Its evenings follow within minutes."))
        if apart:
            times = ", ".join(local_time(event.starts_at, event.time_zone) for event in apart)
            said = gettext(
                "People have registered for these evenings, which stay as they are: %(times)s. "
                "Move them one by one, or call them off on their run-sheets."
            )
            messages.warning(self.request, said % {"times": times})
        return HttpResponseRedirect(reverse("dating:rule", args=[draft.pk]))


def _set(rule: RecurringRule, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(rule, name, value)


def fingerprint(coming: list[Coming] | None) -> str:
    """Return what says which dates were shown."""
    return ",".join(f"{at:%Y%m%dT%H%M}" for at, _ in coming or [])
