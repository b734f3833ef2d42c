"""Serializer fields that take the JSON type they name and no other; DRF's own convert what they can."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

#: 2100-01-01T00:00:00Z: a later time is a mistake, such as milliseconds given for seconds.
UNIX_TIME_END: Final = 4_102_444_800


class StrictCharField(serializers.CharField):
    """A JSON string."""

    default_error_messages = {"invalid": "Expected a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictUUIDField(serializers.UUIDField):
    """A JSON string that is a UUID in its usual form of five groups."""

    default_error_messages = {"invalid": "Expected a UUID, such as 33cbb18c-3e9d-4acc-9667-2fbe7bf29137."}

    def to_internal_value(self, data: Any) -> UUID:
        return uuid_of(data) or self.fail("invalid")


def uuid_of(data: Any) -> UUID | None:
    """Return the UUID that a text in five groups is; None for anything else."""
    if not isinstance(data, str) or len(data) != 36:
        return None
    try:
        value = UUID(data)
    except ValueError:
        return None
    return value if str(value) == data.lower() else None


class _NeverBlank(serializers.Field):
    """Refuses an empty string, which DRF's related fields take for null."""

    default_error_messages = {"blank": "This field may not be blank."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data == "":
            self.fail("blank")
        return super().run_validation(data)


class SlugOfOneField(_NeverBlank, serializers.SlugRelatedField[Any]):
    """Something by its slug or name, which is a JSON string."""

    default_error_messages = {
        "does_not_exist": "There is none with the {slug_name} {value}.",
        "invalid": "Expected a string.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) > 100:
            self.fail("invalid")
        return super().to_internal_value(data)


class IdOfOneField(_NeverBlank, serializers.PrimaryKeyRelatedField[Any]):
    """Something by its id, which is a UUID."""

    def __init__(self, **options: Any) -> None:
        super().__init__(pk_field=StrictUUIDField(), **options)


class StrictChoiceField(serializers.ChoiceField):
    """A JSON string out of a list."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data in self.choices:
            return data
        expected = ", ".join(str(choice) for choice in self.choices)
        raise serializers.ValidationError(f"Expected one of: {expected}.", code="invalid_choice")


class StrictIntegerField(serializers.IntegerField):
    """A JSON number without a fraction."""

    default_error_messages = {"invalid": "Expected a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """JSON true or false."""

    default_error_messages = {"invalid": "Expected true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return bool(data)


@extend_schema_field(
    {"type": "number", "format": "double", "minimum": 0, "exclusiveMaximum": True, "maximum": UNIX_TIME_END}
)
class UnixTimeField(serializers.Field):
    """Seconds since 1970 (UTC), as a JSON number, kept to the microsecond."""

    default_error_messages = {
        "invalid": "Expected a number: Unix seconds.",
        "range": "Expected Unix seconds from 0 up to the year 2100.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        # What is kept is rounded, and must be in the range too. No comparison holds for NaN.
        if not (data >= 0 and round(data, 6) < UNIX_TIME_END):
            self.fail("range")
        return datetime.fromtimestamp(data, UTC)

    def to_representation(self, value: datetime) -> float:
        return unix_seconds(value)


def unix_seconds(moment: datetime) -> float:
    """Seconds since 1970 as JSON has them: whole ones without a fraction."""
    seconds = moment.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


class TimeField(serializers.DateTimeField):
    """An ISO 8601 time of this century or so; UTC where it does not say."""

    def __init__(self, *, first_year: int = 1970, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)
        self.first_year = first_year

    def to_internal_value(self, value: Any) -> datetime:
        message = f"Expected an ISO 8601 time from {self.first_year} to 2099, such as 2026-01-31T10:00:00Z."
        if not isinstance(value, str):
            raise serializers.ValidationError(message)
        try:
            moment = super().to_internal_value(value)
        except (serializers.ValidationError, OverflowError):  # the latter: year 1, in a zone east of UTC
            raise serializers.ValidationError(message)
        if not self.first_year <= moment.year < 2100:
            raise serializers.ValidationError(message)
        return moment
