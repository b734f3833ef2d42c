"""The inbox as the API takes and shows it."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.rest.fields import StrictBooleanField
from notifications.inbox.items import Item, item_of
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


class UnreadSerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField()


class MarkedSerializer(UnreadSerializer):
    marked = serializers.IntegerField(help_text="Items that were unread and are now read.")


class DeletedSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField()
