"""Numbers and texts of tracing, taken only in the JSON type that they name."""

import math
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.rest.fields import StrictIntegerField
from tracing.intake.checking import DEVICE_MAX
from tracing.models.filter import PARTS, validate_content


class StrictFloatField(serializers.FloatField):
    """A JSON number."""

    default_error_messages = {"invalid": "Expected a number."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return float(data)


class PlainIntegerField(serializers.IntegerField):
    """A whole number in the query of a URL, in ASCII digits: not 1_0, which Python takes too."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]+", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class PlainFloatField(serializers.FloatField):
    """A number in the query of a URL, in ASCII digits; finite."""

    def to_internal_value(self, data: Any) -> float:
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", str(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "properties": {part: {"type": "string", "maxLength": longest} for part, longest in PARTS.items()},
            "required": ["title"],
            "additionalProperties": False,
        },
    }
)
class ContentField(serializers.Field):
    """Texts by language."""

    def to_internal_value(self, data: Any) -> Any:
        validate_content(data)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def device_id_field(**options: Any) -> StrictIntegerField:
    return StrictIntegerField(min_value=1, max_value=DEVICE_MAX, **options)
