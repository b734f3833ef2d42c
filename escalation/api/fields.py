"""What the serializers of escalations share."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Shop
from config.rest.fields import SlugOfOneField, StrictIntegerField


class ChangeSerializer(serializers.Serializer[Any]):
    """Fields you leave out stay as they are."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


def shop_field(help_text: str) -> SlugOfOneField:
    return SlugOfOneField(
        slug_field="slug", queryset=Shop.objects.all(), required=False, allow_null=True, help_text=help_text
    )


def whole(most: int, *, least: int = 0, **options: Any) -> serializers.IntegerField:
    schema = {"type": "integer", "minimum": least, "maximum": most}
    if options.get("allow_null"):
        schema["nullable"] = True
    field = extend_schema_field(schema)(type("WholeField", (StrictIntegerField,), {}))
    return field(min_value=least, max_value=most, **options)
