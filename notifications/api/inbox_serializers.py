"""The inbox as the API takes and shows it."""

from datetime import datetime
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config import clock
from config.rest.fields import StrictBooleanField, TimeField
from notifications.inbox.items import Item, iso, item_of
from notifications.inbox.snoozing import FURTHEST
from notifications.models import InboxItem, Severity

LARGEST: Final = 2**63 - 1
NUMBER: Final = {"type": "integer", "format": "int64", "minimum": 0, "maximum": LARGEST}


@extend_schema_field(NUMBER)
class NumberField(serializers.Field):
    """A whole number, as JSON has them: 7 and 7.0 are the same."""

    default_error_messages = {"invalid": "Expected the number of an item: a whole number from 0."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        if data != data // 1 or not 0 <= data <= LARGEST:
            self.fail("invalid")
        return min(int(data), LARGEST)

    def to_representation(self, value: int) -> int:
        return value


class ItemSerializer(serializers.Serializer[InboxItem]):
    """An item in a person's inbox. Each new item has a higher number."""

    id = serializers.UUIDField()
    number = serializers.IntegerField(min_value=1)
    kind = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField(allow_blank=True)
    data = serializers.DictField()  # type: ignore[assignment]
    severity = serializers.ChoiceField(choices=Severity.choices)
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: InboxItem) -> Item:  # type: ignore[override]
        """As on the stream; the fields are for the schema. The context says by whose clock."""
        return item_of(instance, time_zone=self.context["time_zone"])


class MarkInSerializer(serializers.Serializer[Any]):
    read = StrictBooleanField()


class MarkAllInSerializer(serializers.Serializer[Any]):
    up_to = NumberField(help_text="The highest number you have seen; newer items stay unread.")


class SnoozedItemSerializer(ItemSerializer):
    """An item that is out of the inbox for a while."""

    snoozed_until = serializers.DateTimeField(help_text="When it comes back.")

    def to_representation(self, instance: InboxItem) -> Any:
        until = instance.snoozed_until
        return {**super().to_representation(instance), "snoozed_until": iso(until) if until else None}


class SnoozeItemSerializer(serializers.Serializer[Any]):
    until = TimeField(first_year=2000, help_text="When it comes back; within 90 days.")

    def validate_until(self, until: datetime) -> datetime:
        now = clock.now()
        if not now < until <= now + FURTHEST:
            raise serializers.ValidationError("Expected a time within the next 90 days.")
        return until


class UnreadSerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField()


class MarkedSerializer(UnreadSerializer):
    marked = serializers.IntegerField(help_text="Items that were unread and are now read.")


class DeletedSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField()
