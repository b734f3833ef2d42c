"""What is tried out on somebody's preferences, and what would come of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from notifications import rules
from notifications.models import ContactPoint, Severity
from notifications.services.own_steps import decisions_foreseen
from notifications.web import switches
from notifications.web.forms.preferences import channel_label


class ForeseenForm(forms.Form):
    """Each field is a parameter of the page's address, so that an answer is a link."""

    kind = forms.CharField(label=gettext_lazy("About"), max_length=64, initial="alert", widget=forms.Select())
    severity = forms.ChoiceField(label=gettext_lazy("Severity"), choices=Severity.choices)
    at = forms.DateTimeField(
        label=gettext_lazy("Day and time"),
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        help_text=gettext_lazy("Now, if you leave it out."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = str(self.data.get("kind", ""))
        choices = {kind: switches.label_of(group) for group, kind in switches.kinds_by_group()}
        # A link may ask of any other.
        others = {asked: asked} if asked and asked not in choices else {}
        self.fields["kind"].widget.choices = list((choices | others).items())

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


def foreseen(
    person: User, asked: dict[str, Any], *, points: Mapping[UUID, ContactPoint]
) -> list[dict[str, Any]]:
    """Return how somebody would be told, by ``decisions_foreseen``, each with its ``place`` in words."""
    return [
        {**each, "place": points.get(each["contact_point_id"]) or channel_label(each["channel"])}
        for each in decisions_foreseen(user=person, **asked)
    ]
