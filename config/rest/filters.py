"""What the lists of every app can rely on when they are narrowed."""

from collections.abc import Callable
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import ErrorList

PAGING = frozenset({"cursor", "page_size"})


class PlainNumberField(forms.DecimalField):
    """A number in ASCII digits: not 1_0, nor the digits of other scripts, which Python takes too."""

    def clean(self, value: Any) -> Any:
        if isinstance(value, str) and not (value.isascii() and "_" not in value):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().clean(value)


class PlainBooleanField(forms.ChoiceField):
    """True or false, as JSON writes them; Django's own takes whatever else it doesn't know for no choice."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], **options)

    def clean(self, value: Any) -> Any:
        chosen = super().clean(value)
        return None if chosen == "" else chosen == "true"


class PlainBooleanFilter(django_filters.BooleanFilter):
    field_class = PlainBooleanField


class PlainNumberFilter(django_filters.NumberFilter):
    field_class = PlainNumberField


def by(select: Callable[[Any, Any], Any]) -> Callable[[Any, str, Any], Any]:
    """Return a filter's ``method`` that narrows a list to what ``select`` finds in it for the value."""
    return lambda queryset, name, value: select(queryset, value)


class StrictFilterSet(django_filters.FilterSet):
    """Refuses unknown and empty parameters: a misspelt or unset one would otherwise mean "everything"."""

    def is_valid(self) -> bool:
        super().is_valid()
        known = set(self.form.fields) | PAGING
        for name, value in self.data.items():
            if name not in known:
                self._refuse(name, "This parameter is unknown.")
            elif value == "":
                self._refuse(name, "Expected a value.")
        return not self.form.errors

    def _refuse(self, name: str, message: str) -> None:
        self.form.errors[name[:50]] = ErrorList([ValidationError(message)])
