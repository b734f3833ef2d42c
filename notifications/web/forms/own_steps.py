"""By which steps of their own escalations tell somebody: a row for each, and some to fill in."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext, gettext_lazy

from notifications.channels import registry
from notifications.channels.labels import channel_label
from notifications.models import ContactPoint, Severity
from notifications.own_steps import MAX_S, MOST, OwnStep
from notifications.services.own_steps import own_step_channels

#: Rows without a step that are there to be filled in.
SPARE: Final = 3
_GONE: Final = gettext_lazy("Choose another place, or leave it empty: this one has been removed.")


class StepRow(NamedTuple):
    after: BoundField
    where: BoundField
    problem: str


class OwnStepsForm(forms.Form):
    """``shown`` is what there is, by severity (services.own_steps.own_steps_shown)."""

    def __init__(
        self,
        *args: Any,
        points: Sequence[ContactPoint],
        shown: Mapping[str, Sequence[Mapping[str, Any]]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.shown = shown
        places = _places(points)
        for severity, label in Severity.choices:
            for number in range(MOST):
                step = shown[severity][number] if number < len(shown[severity]) else None
                where = _where(step) if step else ""
                known = (
                    places if not where or where in dict(places) else [*places, (where, gettext("Removed"))]
                )
                place = {"severity": label, "number": number + 1}
                self.fields[f"{severity}_{number}_after"] = forms.DecimalField(
                    label=gettext("%(severity)s, step %(number)d: after minutes") % place,
                    min_value=0,
                    max_value=MAX_S // 60,
                    required=False,
                    initial=_minutes(step["after_s"]) if step else None,
                    widget=forms.NumberInput({"step": "any", "inputmode": "decimal"}),
                )
                self.fields[f"{severity}_{number}_where"] = forms.ChoiceField(
                    label=gettext("%(severity)s, step %(number)d: where") % place,
                    choices=[("", "—"), *known],
                    required=False,
                    initial=where,
                )
        self.removed = {_where(step) for steps in shown.values() for step in steps} - set(dict(places))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in [each for each in self.fields if each.endswith("_where")]:
            where, after = cleaned.get(name), f"{name.removesuffix('_where')}_after"
            if where and where in self.removed:
                self.add_error(name, _GONE)
            if where and cleaned.get(after) is None and after not in self.errors:
                self.add_error(after, gettext("Say after how many minutes; 0 is at once."))
            if not where and cleaned.get(after) is not None:
                self.add_error(name, gettext("Say where, or leave the minutes empty too."))
        return cleaned

    def steps(self) -> dict[str, list[OwnStep]]:
        found: dict[str, list[OwnStep]] = {}
        for severity in Severity.values:
            rows = (
                (self.cleaned_data[f"{severity}_{n}_{what}"] for what in ("after", "where"))
                for n in range(MOST)
            )
            found[severity] = [_step(after, where) for after, where in rows if where]
        return found

    def severities(self) -> Iterator[tuple[str, str, list[StepRow]]]:
        """Yield the rows of each severity with its name and its word."""
        for severity, label in Severity.choices:
            steps = self.shown[severity]
            filled = [n for n in range(MOST) if self.data.get(f"{severity}_{n}_where")]
            count = min(MOST, max([len(steps), *(n + 1 for n in filled)]) + SPARE)
            rows = [
                StepRow(
                    self[f"{severity}_{number}_after"],
                    self[f"{severity}_{number}_where"],
                    steps[number]["problem"] if number < len(steps) else "",
                )
                for number in range(count)
            ]
            yield severity, str(label), rows


def _places(points: Sequence[ContactPoint]) -> list[tuple[str, str]]:
    channels = [name for name in own_step_channels() if registry.is_offered(name)]
    everywhere = [
        (f"channel:{name}", gettext("%(channel)s (all of yours)") % {"channel": channel_label(name)})
        for name in channels
    ]
    return [*((f"point:{each.pk}", str(each)) for each in points if each.channel != "inbox"), *everywhere]


def _where(step: Mapping[str, Any]) -> str:
    point = step["contact_point_id"]
    return f"point:{point}" if point else f"channel:{step['channel']}"


def _step(after: Decimal, where: str) -> OwnStep:
    kind, _, value = where.partition(":")
    after_s = round(after * 60)
    return OwnStep(after_s, contact_point_id=UUID(value)) if kind == "point" else OwnStep(after_s, value)


def _minutes(seconds: int) -> Decimal:
    return Decimal(seconds) / 60 if seconds % 60 else Decimal(seconds // 60)
