"""Changing filters: see what other values would have found, in a link that can be shared; then save them."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext

from accounts.rights import SET_FILTERS, may
from config import clock
from config.digits import id_in
from notifications.web.console import done
from notifications.web.form_page import FormPage
from notifications.web.page import Page
from tracing.filter_preview import Pair, cases_last, direction, what_if_compared
from tracing.models import Case, CaseReading, Filter, FilterVersion
from tracing.search import TooFar
from tracing.services.filters import filter_change, filter_create
from tracing.web.filter_forms import (
    CASES,
    DEVICES_MAX,
    NAMES,
    TextsForm,
    ValuesForm,
    WhatIfForm,
    shown_values,
)
from tracing.web.views import TracingPage


class AnyWhatIfPage(Page):
    """Leads to the filter that is most likely meant: one that is used."""

    def get(self, request: HttpRequest) -> HttpResponse:
        found = Filter.objects.order_by("-is_active", "name").first()
        if found is None:
            return HttpResponseRedirect(reverse("tracing:filters"))
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return HttpResponseRedirect(reverse("tracing:what-if", args=[found.pk]) + query)


class WhatIfPage(TracingPage, FormPage):
    """Values in the address are tried, and change nothing; what is posted is saved."""

    template_name = "tracing/what_if.html"
    form_class = WhatIfForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.is_tried = request.method == "GET" and "minutes_min" in request.GET

    def get_form_kwargs(self) -> dict[str, Any]:
        self.filter = get_object_or_404(Filter, pk=self.kwargs["filter_id"])
        versions = self.filter.versions.all()
        asked = {"filter": self.filter, "versions": versions} | super().get_form_kwargs()
        return asked | ({"data": self.request.GET} if self.is_tried else {})

    def get_form(self, form_class: type[BaseForm] | None = None) -> Any:
        form = super().get_form(form_class)
        # For whoever comes to try; whoever has tried reads on from the top.
        form.fields["minutes_min"].widget.attrs["autofocus"] = not form.is_bound
        return form

    def get_initial(self) -> dict[str, Any]:
        chosen = {name: self.request.GET[name] for name in ("case", "base") if name in self.request.GET}
        now = {"base": self.filter.version, "version": self.filter.version, "cases": CASES}
        return shown_values(self.filter) | now | chosen

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or self.get_form()
        context: dict[str, Any] = {"form": form, "filter": self.filter, "devices_max": DEVICES_MAX}
        case = self._case(form)
        if self.is_tried and form.is_valid():
            number = form.cleaned_data["base"]
            base = self.filter if number == self.filter.version else form.versions.get(number, self.filter)
            draft = form.draft()
            context |= self._tried(form, base, draft, case)
            context["changed"] = changed(self.filter, form)
            context["saved"] = [(name, form[name].value()) for name in NAMES.values()]
        return super().get_context_data(
            **context,
            case=case,
            threshold=settings.TRACING_MIN_COUNT,
            filters=list(Filter.objects.order_by("-is_active", "name")),
            may_set=may(self.person, SET_FILTERS),
            **kwargs,
        )

    def _case(self, form: WhatIfForm) -> Case | None:
        """Return the one case that is asked about; whoever asks is noted, as who opens it."""
        asked = id_in(str(form["case"].value() or ""))
        case = Case.objects.filter(pk=asked).first() if asked else None
        if case is not None and self.is_tried:
            self.log(CaseReading.What.CASE, case)
        return case

    def _tried(
        self, form: WhatIfForm, base: Filter | FilterVersion, draft: Filter, case: Case | None
    ) -> dict[str, Any]:
        count = form.cleaned_data["cases"] or CASES
        chosen = [case] if case else cases_last(count, clock.now())
        try:
            result = what_if_compared(base, draft, cases=chosen, most=DEVICES_MAX)
        except TooFar:
            return {"is_too_far": True}
        label = gettext("Now")
        if isinstance(base, FilterVersion):
            label = gettext("Version %(number)d:") % {"number": base.number}
        return {"result": result, "words": in_words(label, result.told), "sure": direction(base, draft)}

    def act(self, form: WhatIfForm) -> HttpResponse:
        fields = changed(self.filter, form)
        filter_change(filter=self.filter, of_version=form.cleaned_data["version"], **form.values())
        done.note(self.person, self.filter, changed=fields)
        messages.success(
            self.request,
            gettext("Saved as version %(number)d. Open cases keep the version they were searched by.")
            % {"number": self.filter.version},
        )
        return HttpResponseRedirect(reverse("tracing:filter", args=[self.filter.pk]))


class SwitchPage(Page):
    """Has a filter used from now on, or not any more."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, filter_id: UUID) -> HttpResponse:
        found = get_object_or_404(Filter, pk=filter_id)
        is_active = request.POST.get("is_active") == "on"
        if found.is_active != is_active:
            filter_change(filter=found, is_active=is_active)
            done.note(self.person, found, changed=["Is active"])
        said = (
            gettext("The filter is used from now on. The next check searches open cases with it too.")
            if is_active
            else gettext("The filter isn't used any more.")
        )
        messages.success(request, said)
        return HttpResponseRedirect(reverse("tracing:filter", args=[found.pk]))


class TextsPage(FormPage):
    """A filter's name, and what it says in each language."""

    template_name = "tracing/texts.html"
    form_class = TextsForm

    def get_form_kwargs(self) -> dict[str, Any]:
        self.filter = get_object_or_404(Filter, pk=self.kwargs["filter_id"])
        return super().get_form_kwargs() | {"filter": self.filter}

    def get_initial(self) -> dict[str, Any]:
        return {"name": self.filter.name, "language": self.filter.language}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"filter": self.filter}

    def act(self, form: TextsForm) -> HttpResponse:
        fields = {"name": form.cleaned_data["name"], "language": form.cleaned_data["language"]}
        before = {"name": self.filter.name, "language": self.filter.language, "content": self.filter.content}
        after = fields | {"content": form.content}
        filter_change(filter=self.filter, **after)
        done.note(self.person, self.filter, changed=[name for name in after if before[name] != after[name]])
        messages.success(self.request, gettext("Saved."))
        return HttpResponseRedirect(reverse("tracing:filter", args=[self.filter.pk]))


class NewFilterPage(FormPage):
    """A new filter, which is not used yet: first its texts, then its values are tried."""

    template_name = "tracing/texts.html"
    form_class = TextsForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"filter": Filter()}

    def get_initial(self) -> dict[str, Any]:
        return {"language": settings.LANGUAGE_CODE}

    def act(self, form: TextsForm) -> HttpResponse:
        given = form.cleaned_data
        made, is_new = filter_create(name=given["name"], language=given["language"], content=form.content)
        if is_new:
            done.note(self.person, made, is_new=True)
        messages.success(
            self.request, gettext("The filter is there, and not used yet. Try its values, then switch it on.")
        )
        return HttpResponseRedirect(reverse("tracing:what-if", args=[made.pk]))


def changed(filter: Filter, form: ValuesForm) -> list[str]:
    """Return which of a filter's values a form changes, as the form calls them."""
    values = form.values()
    fields = [field for field, value in values.items() if getattr(filter, field) != value]
    return [str(form.fields[NAMES[field]].label) for field in fields]


def in_words(label: str, told: Pair) -> str:
    """Say how many are told, and would be: ``Now 38, then 21 (−17)``."""
    low = gettext("fewer than %(count)d") % {"count": settings.TRACING_MIN_COUNT}
    now = low if told.now is None else str(told.now)
    if told.is_near:
        said = gettext("%(label)s %(now)s, then about as many: fewer than %(count)d more or fewer")
        return said % {"label": label, "now": now, "count": settings.TRACING_MIN_COUNT}
    then = low if told.then is None else str(told.then)
    if told.change is None:
        return gettext("%(label)s %(now)s, then %(then)s") % {"label": label, "now": now, "then": then}
    change = f"{told.change:+d}".replace("-", "−") if told.change else gettext("the same")
    said = gettext("%(label)s %(now)s, then %(then)s (%(change)s)")
    return said % {"label": label, "now": now, "then": then, "change": change}
