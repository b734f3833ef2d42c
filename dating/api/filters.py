"""What lists of dating can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from config.rest.filters import StrictFilterSet
from dating.models import Registration, State
from notifications.api.filters import SaneDateTimeFilter


class EventFilter(StrictFilterSet):
    state = django_filters.MultipleChoiceFilter(choices=State.choices)
    starts_after = SaneDateTimeFilter(field_name="starts_at", lookup_expr="gte")
    starts_before = SaneDateTimeFilter(field_name="starts_at", lookup_expr="lt")


class RegistrationFilter(StrictFilterSet):
    state = django_filters.MultipleChoiceFilter(choices=Registration.State.choices)
    event = django_filters.UUIDFilter(field_name="event_id")
