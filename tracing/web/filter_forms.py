"""What the pages ask about filters, in the units that people think in: minutes and metres."""

import copy
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext, gettext_lazy

from tracing.models import Device, Filter, FilterVersion
from tracing.models.filter import (
    DISTANCE_MAX_M,
    LANGUAGE,
    LANGUAGE_MAX,
    PARTS,
    ROUNDS_MAX,
    TIME_MAX_S,
    Criteria,
)

#: Cases that are searched for one look, and devices that it may reach, each counted once for each case.
CASES_MAX: Final = 100
DEVICES_MAX: Final = 20_000
CASES: Final = 20
#: What a form calls the fields of a filter.
NAMES: Final = {
    "time_min_s": "minutes_min",
    "time_max_s": "minutes_max",
    "distance_min_m": "distance_min",
    "distance_max_m": "distance_max",
    "rounds": "rounds",
    "status": "status",
}


def _metres(label: Any, **options: Any) -> forms.FloatField:
    return forms.FloatField(label=label, min_value=0, max_value=DISTANCE_MAX_M, **options)


def _minutes(label: Any, **options: Any) -> forms.DecimalField:
    # Two decimals are less than a second apart, so each number of whole seconds has its own.
    return forms.DecimalField(
        label=label, min_value=0, max_value=TIME_MAX_S // 60, decimal_places=2, **options
    )


class ValuesForm(forms.Form):
    """What a filter finds people by, with what they are told that they are."""

    minutes_min = _minutes(gettext_lazy("Minutes of contact, from"))
    minutes_max = _minutes(
        gettext_lazy("Minutes, up to"), required=False, help_text=gettext_lazy("Empty: no limit.")
    )
    distance_min = _metres(gettext_lazy("Metres, from"))
    distance_max = _metres(
        gettext_lazy("Metres, up to"), required=False, help_text=gettext_lazy("Empty: no limit.")
    )
    rounds = forms.TypedChoiceField(
        label=gettext_lazy("Degrees of closeness"),
        choices=[(number, str(number)) for number in range(1, ROUNDS_MAX + 1)],
        coerce=int,
    )
    status = forms.TypedChoiceField(
        label=gettext_lazy("Tells people they are"), choices=Device.Status.choices, coerce=int
    )

    def __init__(self, *args: Any, filter: Filter, **kwargs: Any) -> None:
        self.filter = filter
        super().__init__(*args, **kwargs)

    def values(self) -> dict[str, Any]:
        """Return the fields of a filter."""
        given = self.cleaned_data
        values = {field: given[name] for field, name in NAMES.items()}
        return values | {field: seconds(values[field]) for field in ("time_min_s", "time_max_s")}

    def draft(self) -> Filter:
        """Return the filter with these values, not stored."""
        draft = copy.copy(self.filter)
        for field, value in self.values().items():
            setattr(draft, field, value)
        return draft

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            try:
                self.draft().clean()
            except ValidationError as error:
                for field, said in in_words(error).items():
                    self.add_error(field, said)
        return given


class WhatIfForm(ValuesForm):
    """Values, what to hold them against, and in which cases; ``version`` is what was there when shown."""

    base = forms.TypedChoiceField(label=gettext_lazy("Compare with"), coerce=int, required=False)
    cases = forms.IntegerField(
        label=gettext_lazy("Last cases"), min_value=1, max_value=CASES_MAX, required=False
    )
    case = forms.UUIDField(required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, filter: Filter, versions: Iterable[FilterVersion], **kwargs: Any) -> None:
        super().__init__(*args, filter=filter, **kwargs)
        self.versions = {version.number: version for version in versions}
        self.fields["base"].choices = [  # type: ignore[attr-defined]
            (
                number,
                gettext("Version %(number)d, as it is now") % {"number": number}
                if number == filter.version
                else gettext("Version %(number)d") % {"number": number},
            )
            for number in self.versions
        ]


class TextsForm(forms.Form):
    """A filter's name, and what people are told, a few fields for each language."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    language = forms.CharField(
        label=gettext_lazy("Language of devices that name none, or one without a text"),
        max_length=LANGUAGE_MAX,
        help_text=gettext_lazy("A code, such as en or fr-CA; there must be a text in it."),
    )

    def __init__(self, *args: Any, filter: Filter, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filter = filter
        self.codes = list(dict.fromkeys([*filter.content, *(code for code, _ in settings.LANGUAGES)]))
        for code in self.codes:
            self._add(code, filter.content.get(code, {}))
        self.fields["code"] = forms.RegexField(
            f"^{LANGUAGE}$",
            label=gettext_lazy("Another language"),
            max_length=LANGUAGE_MAX,
            required=False,
            help_text=gettext_lazy("A code, such as de or pt-BR."),
        )
        self._add("other", {})

    def _add(self, code: str, text: dict[str, str]) -> None:
        for part, longest in PARTS.items():
            attributes: dict[str, Any] = {} if code == "other" else {"lang": code}
            rows = _ROWS.get(part)
            self.fields[f"{part}_{code}"] = forms.CharField(
                label=_LABELS[part],
                max_length=longest,
                required=False,
                initial=text.get(part, ""),
                widget=forms.Textarea(attributes | {"rows": rows}) if rows else forms.TextInput(attributes),
            )

    def languages(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        """Return what is shown of each language: its code, its name, and its fields."""
        return [(code, _name_of(code), [self[f"{part}_{code}"] for part in PARTS]) for code in self.codes]

    def another(self) -> list[forms.BoundField]:
        return [self["code"], *(self[f"{part}_other"] for part in PARTS)]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        content = {code: text for code in self.codes if (text := self._text(code))}
        if text := self._text("other"):
            code = given.get("code", "")
            if not code:
                self.add_error("code", gettext("Say in which language this text is."))
            elif code in self.codes:
                self.add_error("code", gettext("This language has its fields above."))
            else:
                content[code] = text
        for code, text in content.items():
            at = code if code in self.codes else "other"
            if "title" not in text:
                self.add_error(f"title_{at}", gettext("Enter a title, or leave this language empty."))
        if given["language"] not in content:
            self.add_error("language", gettext("There is no text in this language."))
        self.content = content
        return given

    def _text(self, code: str) -> dict[str, str]:
        texts = {part: self.cleaned_data.get(f"{part}_{code}", "") for part in PARTS}
        return {part: text for part, text in texts.items() if text}


_LABELS: Final = {
    "title": gettext_lazy("Title"),
    "shortDescription": gettext_lazy("Short text"),
    "description": gettext_lazy("More about it"),
}
_ROWS: Final = {"shortDescription": 3, "description": 6}


def _name_of(code: str) -> str:
    """Return what a language is called in itself; its code where that isn't known."""
    try:
        return str(translation.get_language_info(code)["name_local"])
    except KeyError:
        return code


def in_words(error: ValidationError) -> dict[str, Any]:
    """Return what a filter finds wrong with its values, by the fields of a form."""
    said = {
        "time_max_s": gettext("Expected no less than the least contact."),
        "distance_max_m": gettext("Expected no less than the least distance."),
    }
    return {
        NAMES.get(field, "__all__"): said.get(field, messages)
        for field, messages in error.message_dict.items()
    }


def minutes(seconds: int | None) -> Decimal | None:
    """Return minutes with two decimals at most, as a form shows them: 15, 0.5, 16.67."""
    if seconds is None:
        return None
    exact = (Decimal(seconds) / 60).quantize(Decimal("0.01")).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral() else exact


def seconds(minutes: Decimal | None) -> int | None:
    return None if minutes is None else round(minutes * 60)


def shown_values(criteria: Criteria) -> dict[str, Any]:
    """Return a filter's values, or those of a version, as a form has them."""
    values = {name: getattr(criteria, field) for field, name in NAMES.items()}
    return values | {name: minutes(values[name]) for name in ("minutes_min", "minutes_max")}
