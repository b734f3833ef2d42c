"""What somebody might prefer instead; each field is a parameter of the address, so that it is a link."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from notifications.models import ChannelHours, Preference, Subscription
from notifications.services.what_if import Wish
from notifications.web import switches
from notifications.web.forms.hours import HoursForm
from notifications.web.forms.preferences import TellingForm, channel_label


class WhatIfForm(HoursForm):
    level = forms.ChoiceField(label=TellingForm.base_fields["level"].label, choices=Preference.Level.choices)
    quiet_from = TellingForm.base_fields["quiet_from"]
    quiet_until = TellingForm.base_fields["quiet_until"]
    rule_kind = forms.ChoiceField(label=gettext_lazy("A rule about"), required=False)
    rule_channel = forms.ChoiceField(label=gettext_lazy("by"), required=False)
    rule_says = forms.ChoiceField(
        label=gettext_lazy("says"),
        required=False,
        choices=[("no", gettext_lazy("no")), ("yes", gettext_lazy("yes"))],
    )

    def __init__(self, *args: Any, person: User, preference: Preference, **kwargs: Any) -> None:
        self.person, self.preference = person, preference
        initial = {name: getattr(preference, name) for name in ("level", "quiet_from", "quiet_until")}
        channels: Sequence[str] = switches.channels_of(person)
        shown = ChannelHours.objects.filter(user=person)
        super().__init__(*args, channels=channels, shown=shown, initial=initial, **kwargs)
        kinds = [(group, switches.label_of(group)) for group in switches.groups()]
        self.fields["rule_kind"].choices = [("", "—"), *kinds]  # type: ignore[attr-defined]
        names = [(name, channel_label(name)) for name in channels]
        self.fields["rule_channel"].choices = [("", gettext("any channel")), *names]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            try:
                self._preferred(cleaned).clean()
            except forms.ValidationError as error:
                self.add_error(None, list(error.messages))
        return cleaned

    def _preferred(self, cleaned: dict[str, Any]) -> Preference:
        changed = {name: cleaned[name] for name in ("level", "quiet_from", "quiet_until")}
        return Preference(
            user=self.person, digest=self.preference.digest, steps=self.preference.steps, **changed
        )

    def changes(self) -> dict[str, Any]:
        """Return what is chosen of level and quiet hours, as ``preference_set`` takes it."""
        return {name: self.cleaned_data[name] for name in ("level", "quiet_from", "quiet_until")}

    def rule(self) -> dict[str, Any] | None:
        """Return the rule that is tried, as ``subscription_set`` takes it, if there is one."""
        said = self.cleaned_data
        if not said["rule_kind"]:
            return None
        is_enabled = said["rule_says"] == "yes"
        return {"channel": said["rule_channel"], "kind": said["rule_kind"], "is_enabled": is_enabled}

    def wish(self) -> Wish:
        rule = self.rule()
        return Wish(
            self._preferred(self.cleaned_data),
            [ChannelHours(user=self.person, **each) for each in self._whole_hours()],
            Subscription(user=self.person, **rule) if rule else None,
        )

    def _whole_hours(self) -> list[dict[str, Any]]:
        # As the model's own check leaves them: a digest ends when it begins.
        return [
            {**each, "ends": each["begins"]} if each["told"] == ChannelHours.Told.DIGEST else each
            for each in self.hours()
        ]
