"""What the lists of alert groups and silences can be narrowed by."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q, QuerySet

from config import clock
from config.rest.filters import PlainBooleanFilter, StrictFilterSet
from escalation.models import AlertGroup, Integration, Silence
from notifications.api.filters import SaneDateTimeFilter


class IntegrationFilter(StrictFilterSet):
    format = django_filters.ChoiceFilter(choices=Integration.Format.choices)
    shop = django_filters.CharFilter(field_name="shop__slug", max_length=100, label="Slug of the shop.")


class GroupFilter(StrictFilterSet):
    state = django_filters.MultipleChoiceFilter(choices=AlertGroup.State.choices)
    quiet = django_filters.MultipleChoiceFilter(
        choices=[choice for choice in AlertGroup.Quiet.choices if choice[0]]
    )
    integration = django_filters.UUIDFilter(field_name="integration_id")
    policy = django_filters.UUIDFilter(field_name="policy_id")
    key = django_filters.CharFilter(max_length=255)
    opened_after = SaneDateTimeFilter(field_name="opened_at", lookup_expr="gte")
    opened_before = SaneDateTimeFilter(field_name="opened_at", lookup_expr="lt")


class SilenceFilter(StrictFilterSet):
    is_over = PlainBooleanFilter(
        method="over", label="Whether it was cancelled, or has ended and has no rule."
    )

    def over(self, queryset: QuerySet[Silence], name: str, value: bool) -> QuerySet[Silence]:
        is_over = Q(cancelled_at__isnull=False) | Q(rule="", ends_at__lte=clock.now())
        return queryset.filter(is_over) if value else queryset.exclude(is_over)
