"""What somebody is told, when, and where."""

from functools import cache
from itertools import groupby
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy

from accounts.models import User
from notifications.channels import registry
from notifications.channels.labels import channel_label as channel_label
from notifications.models import Preference

# The zone database has many more names, for zones of the past and for machines.
REGIONS: Final = (
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip


class TellingForm(forms.Form):
    level = forms.ChoiceField(
        label=gettext_lazy("What to tell you about"),
        choices=Preference.Level.choices,
        widget=forms.RadioSelect,
    )
    quiet_from = forms.TimeField(
        label=gettext_lazy("Quiet from"),
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
    quiet_until = forms.TimeField(
        label=gettext_lazy("Quiet until"),
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Your time zone"), widget=forms.Select({"autocomplete": "off"})
    )
    digest = forms.BooleanField(
        label=gettext_lazy("Send everything that was held back as one message"),
        required=False,
        help_text=gettext_lazy("Otherwise we send each message separately when quiet hours end."),
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = time_zones(person.time_zone)  # type: ignore[attr-defined]


class ContactPointForm(forms.Form):
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), initial="email")
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2048,
        required=False,
        widget=forms.TextInput({"autocapitalize": "none", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "An email address, a phone number with its country code, or a URL; empty for the inbox."
        ),
    )
    label = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        required=False,
        help_text=gettext_lazy("Optional: a name to tell it from the others."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = channels_offered()
        self.fields["channel"].choices = offered  # type: ignore[attr-defined]
        # Its address is what a browser makes: there is a button for it.
        typed = [(name, label) for name, label in offered if name != "webpush"]
        self.fields["channel"].widget.choices = typed


def channels_offered() -> list[tuple[str, str]]:
    """Return what people can be told by. A browser is in it too: its own button adds it."""
    names = sorted(name for name in registry.CHANNELS if registry.is_offered(name))
    return [(name, channel_label(name)) for name in names]


def time_zones(current: str) -> list[tuple[str, Any]]:
    """Return the choices, by region; the present one is always among them."""
    regions = _regions()
    known = {name for _, zones in regions for name, _ in zones}
    return [(name, name) for name in sorted({"UTC", current} - known)] + regions


@cache
def _regions() -> list[tuple[str, list[tuple[str, str]]]]:
    # Kept, since they are the same as long as the process runs.
    names = sorted(name for name in available_timezones() if name.startswith(REGIONS) and "/" in name)
    by_region = groupby(names, key=lambda name: name.partition("/")[0])
    return [
        (region, [(name, name.partition("/")[2].replace("_", " ")) for name in zones])
        for region, zones in by_region
    ]
