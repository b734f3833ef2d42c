"""What the lists of escalations, and of what starts them, can be narrowed by."""

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q, QuerySet

from config import clock
from config.rest.filters import PlainBooleanFilter, StrictFilterSet
from escalation import selectors
from escalation.models import AlertGroup, EscalationProcess, Heartbeat, Integration, Schedule, Silence
from notifications.api.filters import SaneDateTimeFilter


class ProcessFilter(StrictFilterSet):
    process_id = django_filters.CharFilter(max_length=200)
    state = django_filters.MultipleChoiceFilter(
        choices=EscalationProcess.State.choices,
        method="in_states",
        label="`finished` finds those that are `unanswered` or `reached_nobody` too.",
    )
    policy = django_filters.CharFilter(
        field_name="policy_version__policy__name", max_length=100, label="Name of the policy."
    )
    started_after = SaneDateTimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = SaneDateTimeFilter(field_name="started_at", lookup_expr="lt")

    def in_states(
        self, queryset: QuerySet[EscalationProcess], name: str, value: list[str]
    ) -> QuerySet[EscalationProcess]:
        return selectors.in_states(queryset, value) if value else queryset


class PolicyFilter(StrictFilterSet):
    name = django_filters.CharFilter(max_length=100)


class ScheduleFilter(StrictFilterSet):
    name = django_filters.CharFilter(max_length=100)
    member = django_filters.UUIDFilter(method="of_member", label="UUID of somebody who takes turns.")

    def of_member(self, queryset: QuerySet[Schedule], name: str, value: Any) -> QuerySet[Schedule]:
        return queryset.filter(layers__places__user=value).distinct()


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


class HeartbeatFilter(StrictFilterSet):
    state = django_filters.MultipleChoiceFilter(choices=Heartbeat.State.choices)
    shop = django_filters.CharFilter(field_name="shop__slug", max_length=100, label="Slug of the shop.")
    slug = django_filters.CharFilter(max_length=100)
    tag = django_filters.CharFilter(method="with_tag", max_length=50, label="A tag that it has.")

    def with_tag(self, queryset: QuerySet[Heartbeat], name: str, value: str) -> QuerySet[Heartbeat]:
        return queryset.filter(tags__contains=[value])
