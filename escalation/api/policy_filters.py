"""What the lists of policies and rotations can be narrowed by."""

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django.db.models import QuerySet

from config.rest.filters import StrictFilterSet
from escalation.models import Rotation


class PolicyFilter(StrictFilterSet):
    name = django_filters.CharFilter(max_length=100)


class RotationFilter(StrictFilterSet):
    name = django_filters.CharFilter(max_length=100)
    member = django_filters.UUIDFilter(method="of_member", label="UUID of somebody who takes turns.")

    def of_member(self, queryset: QuerySet[Rotation], name: str, value: Any) -> QuerySet[Rotation]:
        return queryset.filter(places__user=value).distinct()
