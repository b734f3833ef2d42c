"""What lists of events and dead letters can be narrowed by."""

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from config.rest.filters import StrictFilterSet, by
from notifications.api.filters import SaneDateTimeFilter
from notifications.events import selectors, topics
from notifications.models import Event, HandlerRun

PATTERN_LABEL = "A routing key, or a pattern: * is one word, # any."
TRUTHS = (("true", "handled"), ("false", "by nobody"))


class PatternField(forms.CharField):
    """A routing key, or a pattern of them."""

    def clean(self, value: Any) -> str:
        pattern: str = super().clean(value)
        if pattern and not topics.is_pattern(pattern):
            raise ValidationError(topics.PATTERN_MESSAGE)
        return pattern


class PatternFilter(django_filters.CharFilter):
    field_class = PatternField


class EventFilter(StrictFilterSet):
    routing_key = PatternFilter(method=by(selectors.of_keys), label=PATTERN_LABEL)
    source = django_filters.CharFilter(max_length=100)
    is_known = django_filters.ChoiceFilter(choices=TRUTHS, method="known", label="Someone handles it.")
    created_after = SaneDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = SaneDateTimeFilter(field_name="created_at", lookup_expr="lt")

    def known(self, queryset: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return queryset.filter(is_known=value == "true")


class DeadLetterFilter(StrictFilterSet):
    handler = django_filters.CharFilter(max_length=100)
    routing_key = PatternFilter(method="of_keys", label=PATTERN_LABEL)
    event = django_filters.UUIDFilter(field_name="event_id")

    def of_keys(self, queryset: QuerySet[HandlerRun], name: str, value: str) -> QuerySet[HandlerRun]:
        return queryset.filter(event__in=selectors.of_keys(Event.objects.order_by(), value))
