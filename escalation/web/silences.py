"""Silences and maintenance windows in a browser: what is quiet, for how long, and making it so."""

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.generic import TemplateView

from config import clock
from config.recurrence import occurrences
from config.zones import zone_of
from escalation.groups.selectors import held_by, open_groups_matching
from escalation.groups.silences import over_at
from escalation.groups.silencing import silence_cancel, silence_create
from escalation.models import Silence
from escalation.models.group import MAX_MATCHERS
from notifications.web.console.done import note
from notifications.web.form_page import FormPage
from notifications.web.page import Page

#: Of those that are over, so many are shown, the newest first.
MOST_OVER: Final = 30
#: Of the groups that a silence would hold back, so many are named.
MOST_NAMED: Final = 20
#: What a form offers to begin with.
LASTS: Final = timedelta(hours=2)
_A_YEAR: Final = timedelta(days=366)
_LINE: Final = re.compile(r"(?P<label>[^=!~]*[^=!~\s])\s*(?P<op>!=|=|~)\s*(?P<value>.*)")

Matchers = list[dict[str, str]]


def said(matchers: Matchers) -> str:
    """Return matchers as a form takes them: one a line."""
    return "\n".join(f"{each['label']} {each['op']} {each['value']}".rstrip() for each in matchers)


class SilenceForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("Whoever looks at a silenced alert reads it."),
    )
    matching = forms.CharField(
        label=gettext_lazy("What it holds back"),
        required=False,
        widget=forms.Textarea({"rows": 4, "spellcheck": "false", "autocapitalize": "off"}),
        help_text=gettext_lazy(
            "One condition a line, all of which must hold: severity = standard, title ~ *disk*, host != db1. "
            "They are about severity, title, key, integration, shop, and the alerts' own labels; after ~, * "
            "stands for any characters."
        ),
    )
    everything = forms.BooleanField(
        label=gettext_lazy("Every alert group, whatever it is about"), required=False
    )
    starts_at = forms.DateTimeField(
        label=gettext_lazy("From"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    ends_at = forms.DateTimeField(
        label=gettext_lazy("Until"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    repeats = forms.ChoiceField(
        label=gettext_lazy("Again"),
        required=False,
        choices=[
            ("", gettext_lazy("Just once")),
            ("FREQ=DAILY", gettext_lazy("Every day")),
            ("FREQ=WEEKLY", gettext_lazy("Every week")),
        ],
    )

    def clean_matching(self) -> Matchers:
        matchers = []
        for number, line in enumerate(self.cleaned_data["matching"].splitlines(), start=1):
            if not line.strip():
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None or any(len(part) > 500 for part in found.groups()):
                wrong = gettext("Line %(number)d: write a label, then =, != or ~, then a value.")
                raise forms.ValidationError(wrong % {"number": number})
            matchers.append(found.groupdict())
        if len(matchers) > MAX_MATCHERS:
            raise forms.ValidationError(gettext("%(most)d conditions at most.") % {"most": MAX_MATCHERS})
        return matchers

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if "matching" in given and bool(given["matching"]) == given["everything"]:
            self.add_error("matching", gettext("Say what it holds back, or tick that it is everything."))
        starts_at, ends_at = given.get("starts_at"), given.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", gettext("Choose a time after its beginning."))
        elif ends_at and ends_at <= clock.now() and not given.get("repeats"):
            self.add_error("ends_at", gettext("This time is over."))
        return given

    @property
    def fields_of(self) -> dict[str, Any]:
        """Return what the service takes."""
        given = self.cleaned_data
        return {
            "reason": given["reason"],
            "matchers": given["matching"],
            "starts_at": given["starts_at"],
            "ends_at": given["ends_at"],
            "rule": given["repeats"],
            "time_zone": timezone.get_current_timezone_name(),
        }


class SilencesPage(Page, TemplateView):
    """For staff: what is quiet now, what will be, and the last 30 that are over."""

    template_name = "escalation/silences.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        now = clock.now()
        is_over = ~Q(cancelled_at=None) | Q(rule="", ends_at__lte=now)
        silences = Silence.objects.select_related("created_by")
        held = Counter(held_by(silences.exclude(is_over)))
        alive = [_Row(each, now, held[each.pk]) for each in silences.exclude(is_over)]
        return super().get_context_data(**kwargs) | {
            "holding": sorted((each for each in alive if each.until), key=lambda each: each.until),
            "coming": sorted(
                (each for each in alive if each.next and not each.until), key=lambda it: it.next
            ),
            "over": [
                *(each for each in alive if not each.until and not each.next),
                *(_Row(each, now) for each in silences.filter(is_over)[:MOST_OVER]),
            ][:MOST_OVER],
        }


class _Row:
    """A silence as the page shows it."""

    def __init__(self, silence: Silence, now: datetime, held: int = 0) -> None:
        self.silence, self.held = silence, held
        self.until: Any = over_at(silence, now)
        self.next: Any = None if silence.cancelled_at else _begins_next(silence, now)
        self.matching = said(silence.matchers).splitlines()


def _begins_next(silence: Silence, now: datetime) -> datetime | None:
    """Return when it begins next, within a year; None where it doesn't."""
    if silence.starts_at > now:
        return silence.starts_at
    if not silence.rule:
        return None
    local = silence.starts_at.astimezone(zone_of(silence.time_zone))
    coming = occurrences(
        silence.rule,
        starts_on=local.date(),
        at=local.time(),
        time_zone=silence.time_zone,
        after=now,
        until=now + _A_YEAR,
    )
    return coming[0] if coming else None


class NewSilencePage(FormPage):
    """For staff. It says which open groups it would hold back before it does."""

    template_name = "escalation/silence.html"
    form_class = SilenceForm

    def get_initial(self) -> dict[str, Any]:
        now = timezone.localtime(clock.now()).replace(second=0, microsecond=0)
        return {"matching": self.request.GET.get("matching", ""), "starts_at": now, "ends_at": now + LASTS}

    def act(self, form: SilenceForm) -> HttpResponse:
        fields, now = form.fields_of, clock.now()
        found = open_groups_matching(fields["matchers"])
        if "look" in self.request.POST:
            shown = {"found": found[:MOST_NAMED], "more": len(found[MOST_NAMED:]), "is_asked": True}
            return self.render_to_response(self.get_context_data(form=form, **shown))
        silence = silence_create(**fields, by=self.person, now=now)
        note(self.person, silence, is_new=True)
        if over_at(silence, now):
            held = len(list(held_by(Silence.objects.filter(pk=silence.pk))))
            said = ngettext(
                "It is quiet: %(count)d open group is held back.",
                "It is quiet: %(count)d open groups are held back.",
                held,
            )
            messages.success(self.request, said % {"count": held})
        else:
            messages.success(self.request, gettext("Saved. It isn't quiet yet."))
        return HttpResponseRedirect(reverse("escalation:silences"))


class EndSilencePage(Page):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, silence_id: UUID) -> HttpResponse:
        silence = get_object_or_404(Silence, pk=silence_id)
        if silence.cancelled_at is None:
            silence_cancel(silence=silence, now=clock.now())
            note(self.person, silence, changed=["cancelled_at"])
        messages.success(request, gettext("The silence is over. What is still open is told now."))
        return HttpResponseRedirect(reverse("escalation:silences"))
