"""What is tried out on somebody's preferences."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from notifications import rules
from notifications.models import Severity


class ForeseenForm(forms.Form):
    """Each field is a parameter of the page's address, so that an answer is a link."""

    kind = forms.CharField(label=gettext_lazy("Kind"), max_length=64, initial="alert")
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), choices=Severity.choices)
    at = forms.DateTimeField(
        label=gettext_lazy("Day and time"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        help_text=gettext_lazy("Now, if you leave it out."),
    )

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        if not rules.KIND.fullmatch(kind) or kind.endswith("*"):
            raise forms.ValidationError(gettext("Expected a kind, such as stage.accepted."))
        return kind

    def clean_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["at"]
        if at and not 1970 <= at.year < 2100:
            raise forms.ValidationError(gettext("Expected a time from 1970 to 2099."))
        return at

    def asked(self, now: datetime) -> dict[str, Any]:
        """Return what is asked, by the names that the answer is computed by."""
        return {**self.cleaned_data, "at": self.cleaned_data["at"] or now}
