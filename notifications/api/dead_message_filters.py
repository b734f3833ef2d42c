"""What the list of brokers' dead letters can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from config.rest.filters import StrictFilterSet
from notifications.api.filters import SaneDateTimeFilter
from notifications.models import DeadMessage


class DeadMessageFilter(StrictFilterSet):
    source = django_filters.CharFilter(max_length=100)
    state = django_filters.ChoiceFilter(choices=DeadMessage.State.choices)
    created_after = SaneDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = SaneDateTimeFilter(field_name="created_at", lookup_expr="lt")
