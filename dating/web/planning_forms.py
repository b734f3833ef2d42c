"""What the pages ask about evenings and recurring rules: minutes and hours, weekdays, and a zone to pick."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from config.zones import zone_of
from dating import meetings
from dating.evening.plain_rules import DAYS, NTH, PlainRule, plain
from dating.meetings.registry import LABELS
from dating.models import Event, RecurringRule
from dating.models.event import EventSettings
from notifications.web.forms.preferences import time_zones

#: What a form calls the fields that are seconds, and of how many seconds its own unit is.
UNITS: Final = {
    "round_s": ("round_minutes", 60),
    "break_s": ("break_minutes", 60),
    "confirm_before_s": ("confirm_hours", 3600),
    "close_before_s": ("close_minutes", 60),
    "rules_before_s": ("rules_minutes", 60),
}
_SAME: Final = ("title", "time_zone", "two_pools", "users_limit", "places", "max_rounds", "provider")
_RULE: Final = ("starts_on", "at", "days_ahead", "is_active")
_WHEN: Final = {"time_zone", "starts_on", "at", "until", "days", "nth", "every", "rrule"}


def _span(label: Any, most: int) -> forms.DecimalField:
    # Two decimals of a minute are less than a second apart; those of an hour, 36 s, are enough for a day.
    return forms.DecimalField(label=label, min_value=0, max_value=most, decimal_places=2)


class SettingsForm(forms.Form):
    """What an evening has in common with a rule that makes evenings."""

    title = forms.CharField(
        label=gettext_lazy("Title"), max_length=200, widget=forms.TextInput({"autofocus": True})
    )
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"))
    max_rounds = forms.IntegerField(
        label=gettext_lazy("Rounds, at most"),
        min_value=1,
        max_value=200,
        required=False,
        help_text=gettext_lazy("Dates that each person has. Empty: everyone meets everyone of the group."),
    )
    round_minutes = _span(gettext_lazy("Minutes of a round"), 1440)
    break_minutes = _span(gettext_lazy("Minutes of a break"), 1440)
    places = forms.IntegerField(
        label=gettext_lazy("Places"),
        min_value=2,
        max_value=10_000,
        required=False,
        help_text=gettext_lazy("More people go to the waiting list. Empty: no limit."),
    )
    users_limit = forms.IntegerField(label=gettext_lazy("Group size, at most"), min_value=2, max_value=200)
    two_pools = forms.BooleanField(
        label=gettext_lazy("Two pools"),
        required=False,
        help_text=gettext_lazy(
            "By what each person seeks: only people of different pools meet. Of the places, neither gets "
            "more than half."
        ),
    )
    confirm_hours = _span(gettext_lazy("People are asked to confirm so many hours before"), 720)
    close_minutes = _span(gettext_lazy("Registration closes so many minutes before"), 43_200)
    rules_minutes = _span(gettext_lazy("The rules are sent so many minutes before"), 43_200)
    provider = forms.ChoiceField(label=gettext_lazy("Calls take place in"))
    organiser = forms.EmailField(
        label=gettext_lazy("Organiser's email address"),
        required=False,
        help_text=gettext_lazy("Whoever runs it, beside the staff."),
    )

    def __init__(self, *args: Any, of: EventSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of = of
        self.fields["time_zone"].choices = time_zones(of.time_zone)  # type: ignore[attr-defined]
        offered = sorted({*meetings.offered(), of.provider})
        self.fields["provider"].choices = [(name, LABELS.get(name, name)) for name in offered]  # type: ignore[attr-defined]

    def clean_organiser(self) -> User | None:
        email = self.cleaned_data["organiser"]
        if not email:
            return None
        found = User.objects.filter(email__iexact=email, is_active=True).first()
        if found is None:
            raise ValidationError(gettext("Nobody has this address."))
        return found

    def settings(self) -> dict[str, Any]:
        """Return the fields of an evening, or of a rule."""
        given = self.cleaned_data
        # What nobody has touched stays as it is, to the second.
        in_seconds = {
            field: round(given[name] * unit) if name in self.changed_data else getattr(self.of, field)
            for field, (name, unit) in UNITS.items()
        }
        return {name: given[name] for name in (*_SAME, "organiser")} | in_seconds


class EveningForm(SettingsForm):
    """One evening; its time is by the clocks of its zone."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    at = forms.TimeField(label=gettext_lazy("Time"), widget=forms.TimeInput({"type": "time"}, "%H:%M"))

    field_order = ("title", "day", "at", "time_zone")

    def starts_at(self) -> datetime:
        given = self.cleaned_data
        return datetime.combine(given["day"], given["at"], tzinfo=zone_of(given["time_zone"]))


class ChangeForm(forms.Form):
    """What can be changed of an evening once people may have registered."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=200)
    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    at = forms.TimeField(label=gettext_lazy("Time"), widget=forms.TimeInput({"type": "time"}, "%H:%M"))
    places = forms.IntegerField(
        label=gettext_lazy("Places"),
        min_value=2,
        max_value=10_000,
        required=False,
        help_text=gettext_lazy("More people go to the waiting list. Empty: no limit."),
    )
    organiser = SettingsForm.base_fields["organiser"]

    clean_organiser = SettingsForm.clean_organiser

    def starts_at(self, event: Event) -> datetime:
        """Return when it is to start; as it was where day and time are, to the second."""
        if not {"day", "at"} & set(self.changed_data):
            return event.starts_at
        given = self.cleaned_data
        return datetime.combine(given["day"], given["at"], tzinfo=zone_of(event.time_zone))


class RuleForm(SettingsForm):
    """A rule in plain fields; ``rrule`` is for what they can't say, and then counts instead of them."""

    days = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Days"),
        choices=DAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    nth = forms.TypedChoiceField(
        label=gettext_lazy("Which"), choices=list(NTH.items()), coerce=int, required=False
    )
    every = forms.IntegerField(
        label=gettext_lazy("Every"),
        min_value=1,
        max_value=999,
        required=False,
        help_text=gettext_lazy("Weeks, or months."),
    )
    at = forms.TimeField(label=gettext_lazy("Time"), widget=forms.TimeInput({"type": "time"}, "%H:%M"))
    starts_on = forms.DateField(
        label=gettext_lazy("From"), widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    until = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
        help_text=gettext_lazy("Empty: no end."),
    )
    days_ahead = forms.IntegerField(
        label=gettext_lazy("Days ahead"),
        min_value=2,
        max_value=366,
        help_text=gettext_lazy("For so long before it, people can register."),
    )
    is_active = forms.BooleanField(label=gettext_lazy("Makes evenings"), required=False)
    rrule = forms.CharField(
        label=gettext_lazy("Rule"),
        max_length=200,
        required=False,
        widget=forms.TextInput({"spellcheck": "false", "autocapitalize": "none"}),
        help_text=gettext_lazy(
            "An RRULE of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR. If it isn't empty, it counts instead of "
            "the days above."
        ),
    )
    #: Which dates were shown when it was sent.
    shown = forms.CharField(required=False, max_length=1000, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("rrule") and not given.get("days") and "days" not in self.errors:
            self.add_error("days", gettext("Choose a day."))
        return given

    def says_when(self) -> bool:
        """Whether the fields that say when are right, whatever the others are."""
        return self.is_valid() or not _WHEN & self.errors.keys()

    def when(self) -> dict[str, Any]:
        """Return the fields of a rule that say when."""
        given = self.cleaned_data
        said = PlainRule(tuple(given["days"]), given["every"] or 1, given["nth"] or 0, given["until"])
        return {name: given[name] for name in ("time_zone", "starts_on", "at")} | {
            "rrule": given["rrule"] or str(said)
        }

    def rule_fields(self) -> dict[str, Any]:
        """Return the fields of a rule."""
        return self.settings() | {name: self.cleaned_data[name] for name in _RULE} | self.when()


def shown_settings(of: EventSettings) -> dict[str, Any]:
    """Return what a form shows of an evening's settings, or a rule's."""
    spans = {name: _in_units(getattr(of, field), unit) for field, (name, unit) in UNITS.items()}
    same = {name: getattr(of, name) for name in _SAME}
    return same | spans | {"organiser": of.organiser.email if of.organiser else ""}


def shown_rule(rule: RecurringRule) -> dict[str, Any]:
    """Return what the form shows of a rule: plain fields where they can say it."""
    values = shown_settings(rule) | {name: getattr(rule, name) for name in _RULE}
    said = plain(rule.rrule, rule.starts_on)
    if said is None:
        return values | {"every": 1, "rrule": rule.rrule}
    return values | {"days": said.days, "nth": said.nth, "every": said.every, "until": said.until}


def _in_units(seconds: int, unit: int) -> Decimal:
    exact = (Decimal(seconds) / unit).quantize(Decimal("0.01")).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral() else exact


def at_fields(error: ValidationError, names: Mapping[str, str] | None = None) -> ValidationError:
    """Return what a service finds wrong by the fields of a form, in its units."""
    if not hasattr(error, "error_dict"):
        return error
    known = {field: name for field, (name, _) in UNITS.items()} | {"starts_at": "day", **(names or {})}
    return ValidationError({known.get(field, field): errors for field, errors in error.error_dict.items()})
