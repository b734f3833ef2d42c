"""What lists can be narrowed by. A parameter that is none of these is refused, not ignored."""

from datetime import datetime
from typing import Any

import django_filters  # type: ignore[import-untyped]
from django.core.exceptions import ValidationError
from django.db.models import CharField, F, QuerySet
from django.db.models.functions import Cast
from django_filters.fields import IsoDateTimeField  # type: ignore[import-untyped]

from config.rest.filters import StrictFilterSet, by
from notifications import selectors
from notifications.models import Alert, Delivery


class SaneDateTimeField(IsoDateTimeField):
    """A time from 1970 to 2100: others can't all be turned into UTC, and mean nothing here."""

    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        if moment is not None and not 1970 <= moment.year < 2100:
            raise ValidationError("Expected a time from 1970 to 2099.")
        return moment


class SaneDateTimeFilter(django_filters.IsoDateTimeFilter):
    field_class = SaneDateTimeField


class AlertFilter(StrictFilterSet):
    label = django_filters.ChoiceFilter(choices=Alert.Label.choices)
    shop = django_filters.CharFilter(field_name="shop__slug", max_length=100, label="Slug of the shop.")
    received_after = SaneDateTimeFilter(field_name="received_at", lookup_expr="gte")
    received_before = SaneDateTimeFilter(field_name="received_at", lookup_expr="lt")
    grouped_with = django_filters.UUIDFilter(label="The first alert of a group.")


class DeliveryFilter(StrictFilterSet):
    user = django_filters.UUIDFilter(method="of_person", label="UUID of the person.")
    alert_uuid = django_filters.UUIDFilter(method="of_alert", label="The alert it is about.")
    notification = django_filters.UUIDFilter(field_name="notification_id")
    shop = django_filters.CharFilter(method="of_shop", max_length=100, label="Slug of the shop.")
    channel = django_filters.CharFilter(max_length=32)
    status = django_filters.MultipleChoiceFilter(
        method=by(selectors.in_states), choices=Delivery.Status.choices
    )
    reason = django_filters.CharFilter(max_length=64)
    created_after = SaneDateTimeFilter(method=by(selectors.created_from))
    created_before = SaneDateTimeFilter(method=by(selectors.created_until))

    def of_alert(self, queryset: QuerySet[Delivery], name: str, value: Any) -> QuerySet[Delivery]:
        return selectors.of_alert(queryset, value)

    def of_person(self, queryset: QuerySet[Delivery], name: str, value: Any) -> QuerySet[Delivery]:
        # Not by the key itself, for which Django would ask for an account: whoever left has none.
        return queryset.alias(person=F("user_id")).filter(person=value)

    def of_shop(self, queryset: QuerySet[Delivery], name: str, value: str) -> QuerySet[Delivery]:
        alerts = Alert.objects.filter(shop__slug=value).order_by()
        return queryset.filter(
            notification__source_type="alert",
            notification__source_id__in=alerts.values(source_id=Cast("alert_uuid", CharField())),
        )


class ContactPointFilter(StrictFilterSet):
    user = django_filters.UUIDFilter(field_name="user_id", label="UUID of the person (for staff).")
    channel = django_filters.CharFilter(max_length=32)
