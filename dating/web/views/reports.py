"""Reporting somebody: a page of its own, so that nothing that moves takes away what is being written."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from config import clock
from dating.models import Event, Reaction, Registration
from dating.services import had_date, reaction_record
from notifications.web.form_page import FormPage


class ReportForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("What happened?"),
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 5}),
    )


class ReportPage(FormPage):
    """Only about somebody with whom one had a date, whoever came to it. They never learn of it."""

    template_name = "dating/report.html"
    form_class = ReportForm
    about: Registration
    event: Event

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._find(**kwargs)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self._find(**kwargs)
        return super().post(request, *args, **kwargs)

    def _find(self, event_id: UUID, about_id: UUID) -> None:
        by = get_object_or_404(Registration.objects.select_related("event"), event=event_id, user=self.person)
        about = get_object_or_404(Registration.objects.select_related("user"), event=event_id, pk=about_id)
        if not had_date(by.pk, about.pk):
            raise Http404
        self.event, self.about = by.event, about

    def act(self, form: ReportForm) -> HttpResponse:
        reaction_record(
            event=self.event,
            user=self.person,
            about_id=self.about.pk,
            kind=Reaction.Kind.REPORT,
            text=form.cleaned_data["text"],
            now=clock.now(),
        )
        messages.success(
            self.request, gettext("Thank you. The organisers will look into it. We won't tell the person.")
        )
        return HttpResponseRedirect(reverse("dating:evening", args=[self.event.pk]))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"event": self.event, "about": self.about}
