"""What the list of escalations can be narrowed by."""

import django_filters  # type: ignore[import-untyped]

from config.rest.filters import StrictFilterSet
from escalation.models import EscalationProcess
from notifications.api.filters import SaneDateTimeFilter


class ProcessFilter(StrictFilterSet):
    process_id = django_filters.CharFilter(max_length=200)
    state = django_filters.MultipleChoiceFilter(choices=EscalationProcess.State.choices)
    policy = django_filters.CharFilter(
        field_name="policy_version__policy__name", max_length=100, label="Name of the policy."
    )
    started_after = SaneDateTimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = SaneDateTimeFilter(field_name="started_at", lookup_expr="lt")
