"""What the lists of tracing can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from config.rest.filters import PlainNumberFilter, StrictFilterSet
from notifications.api.filters import SaneDateTimeFilter
from tracing.intake.checking import DEVICE_MAX
from tracing.models import Case
from tracing.models.filter import ROUNDS_MAX


class CaseFilter(StrictFilterSet):
    state = django_filters.ChoiceFilter(choices=Case.State.choices)
    device = PlainNumberFilter(field_name="device_id", min_value=1, max_value=DEVICE_MAX)
    opened_after = SaneDateTimeFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = SaneDateTimeFilter(field_name="opened_at", lookup_expr="lt")


class ExposureFilter(StrictFilterSet):
    filter = django_filters.UUIDFilter(field_name="filter_id", label="Id of a filter.")
    degree = PlainNumberFilter(min_value=1, max_value=ROUNDS_MAX)
    device = PlainNumberFilter(field_name="device_id", min_value=1, max_value=DEVICE_MAX)
