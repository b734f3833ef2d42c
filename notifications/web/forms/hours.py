"""When somebody is told of each severity by each of their channels: a row for each."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import time
from typing import Any, NamedTuple

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy

from notifications.models import ChannelHours, Severity
from notifications.web.forms.preferences import channel_label


class HoursRow(NamedTuple):
    label: str
    told: BoundField
    begins: BoundField
    ends: BoundField


class HoursForm(forms.Form):
    """``channels`` are those that somebody is told by; ``shown`` is what there is."""

    def __init__(
        self, *args: Any, channels: Sequence[str], shown: Iterable[ChannelHours], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        held = {(each.channel, each.severity): each for each in shown}
        # One that they are told by no more keeps its hours, for when they are again.
        self.channels = sorted({*channels, *(channel for channel, _ in held)} - {"inbox"})
        for channel in self.channels:
            for severity in Severity.values:
                own, name = held.get((channel, severity)), f"{channel}_{severity}"
                self.fields[f"{name}_told"] = forms.ChoiceField(
                    label=gettext_lazy("When"),
                    choices=[("", gettext_lazy("As set above")), *ChannelHours.Told.choices],
                    required=False,
                    initial=own.told if own else "",
                    widget=forms.Select({"autocomplete": "off"}),
                )
                begins, ends = (own.begins, own.ends) if own else (None, None)
                self.fields[f"{name}_begins"] = _clock(gettext_lazy("from, or at"), begins)
                self.fields[f"{name}_ends"] = _clock(gettext_lazy("until"), ends)

    def hours(self) -> Iterator[dict[str, Any]]:
        """Yield what is chosen, as ``channel_hours_set`` takes it."""
        for channel in self.channels:
            for severity in Severity.values:
                told, begins, ends = (
                    self.cleaned_data[f"{channel}_{severity}_{part}"] for part in ("told", "begins", "ends")
                )
                if told:
                    yield {
                        "channel": channel,
                        "severity": severity,
                        "told": told,
                        "begins": begins,
                        "ends": ends,
                    }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for channel in self.channels:
            for severity in Severity.values:
                name = f"{channel}_{severity}"
                hours = ChannelHours(
                    channel=channel,
                    severity=severity,
                    told=cleaned.get(f"{name}_told", ""),
                    begins=cleaned.get(f"{name}_begins"),
                    ends=cleaned.get(f"{name}_ends"),
                )
                try:
                    hours.clean()
                except forms.ValidationError as error:
                    for field, texts in error.message_dict.items():
                        where = f"{name}_told" if field == "channel" else f"{name}_{field}"
                        if where not in self.errors:
                            self.add_error(where, texts)
        return cleaned

    def rows(self) -> Iterator[tuple[str, list[HoursRow]]]:
        """Yield the rows of each channel with its name."""
        for channel in self.channels:
            yield (
                channel_label(channel),
                [
                    HoursRow(
                        str(label),
                        *(self[f"{channel}_{severity}_{part}"] for part in ("told", "begins", "ends")),
                    )
                    for severity, label in Severity.choices
                ],
            )


def _clock(label: Any, initial: time | None) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        initial=initial,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
