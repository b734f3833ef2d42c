"""Rotations, who stands in, and who is on call, as the API takes and shows them."""

from datetime import date, timedelta
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.validators import validate_time_zone
from config.rest.fields import StrictCharField, StrictChoiceField, StrictUUIDField
from escalation.api.fields import ChangeSerializer, whole
from escalation.models import Rotation, RotationOverride
from escalation.models.rotation import HOURS, MAX_SHIFT_H
from escalation.policies.words import name_of
from escalation.rotations import links
from notifications.api.preference_serializers import ClockField, moment

MAX_MEMBERS: Final = 100
#: How much can be asked for at once.
MAX_SPAN: Final = timedelta(days=92)


@extend_schema_field({"type": "string", "format": "date", "example": "2026-01-05"})
class DayField(serializers.DateField):
    """A JSON string such as 2026-01-05."""

    default_error_messages = {"invalid": "Expected a date, such as 2026-01-05."}

    def to_internal_value(self, value: Any) -> date:
        if not isinstance(value, str) or len(value) != 10:
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(value)
        if not 2000 <= day.year < 2100:
            raise serializers.ValidationError("Expected a date from the year 2000 up to 2100.")
        return day


class RotationInSerializer(serializers.Serializer[Rotation]):
    name = StrictCharField(max_length=100)
    kind = StrictChoiceField(choices=Rotation.Kind.choices)
    shift_h = whole(
        MAX_SHIFT_H, least=1, required=False, help_text="Hours in a shift; for custom rotations only."
    )
    time_zone = StrictCharField(
        max_length=64, validators=[validate_time_zone], help_text="Such as Europe/Paris."
    )
    starts_on = DayField(help_text="The day of the first shift; for a weekly rotation it sets the weekday.")
    handoff_at = ClockField(help_text="By the clock of the time zone.")
    members = serializers.ListField(
        child=StrictUUIDField(),
        min_length=1,
        max_length=MAX_MEMBERS,
        help_text="Who takes turns, in this order.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == Rotation.Kind.CUSTOM and "shift_h" not in attrs:
            raise serializers.ValidationError({"shift_h": ["A custom rotation needs the hours of a shift."]})
        _check_hours(attrs["kind"], attrs.get("shift_h"))
        return attrs


def _check_hours(kind: str, shift_h: int | None) -> None:
    """Refuse hours that a rotation of this kind would not have."""
    hours = HOURS.get(kind, shift_h)
    if shift_h not in (None, hours):
        raise serializers.ValidationError(
            {"shift_h": [f"A {kind} rotation has shifts of {hours} hours: leave this out, or choose custom."]}
        )


class RotationChangeSerializer(ChangeSerializer, RotationInSerializer):
    """Fields you leave out stay as they are."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        assert self.instance is not None
        _check_hours(attrs.get("kind", self.instance.kind), attrs.get("shift_h"))
        return attrs


class MemberSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField(
        allow_null=True,
        help_text="null: they left, and their account was deleted; the next in the order takes these turns.",
    )
    name = serializers.SerializerMethodField()

    def get_name(self, place: Any) -> str:
        return name_of(place.user)


class OverrideSerializer(serializers.ModelSerializer[RotationOverride]):
    user_id = serializers.UUIDField()
    name = serializers.SerializerMethodField()

    class Meta:
        model = RotationOverride
        fields = ("id", "user_id", "name", "starts_at", "ends_at", "created_at")
        read_only_fields = fields

    def get_name(self, override: RotationOverride) -> str:
        return name_of(override.user)


class OverrideInSerializer(serializers.Serializer[RotationOverride]):
    user_id = StrictUUIDField()
    starts_at = moment()
    ends_at = moment()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": ["It has to end after it starts."]})
        return attrs


class RotationSerializer(serializers.ModelSerializer[Rotation]):
    """A rotation; read by ``rotations.selectors.with_turns``."""

    members = MemberSerializer(many=True, source="in_order")
    handoff_at = ClockField()
    calendar_url = serializers.SerializerMethodField(
        help_text="For calendar programs; anyone who has it can see who is on call."
    )

    class Meta:
        model = Rotation
        fields = (
            "id", "name", "kind", "shift_h", "time_zone", "starts_on", "handoff_at", "members",
            "calendar_url", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_calendar_url(self, rotation: Rotation) -> str:
        return links.url_of(links.Target(rotation.pk, rotation.link_version))


class TurnSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    name = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    stands_in = serializers.BooleanField(help_text="Whether it is an override.")


class OnCallSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    on_call = TurnSerializer(allow_null=True, help_text="null before the first shift.")


class AtSerializer(serializers.Serializer[Any]):
    at = moment(required=False, help_text="Now by default.")


class SpanSerializer(serializers.Serializer[Any]):
    begin = moment(required=False, help_text="Now by default.")
    end = moment(required=False, help_text="Four weeks later by default; at most 92 days.")


class ShiftsSerializer(serializers.Serializer[Any]):
    """Turns in order; the first and the last are whole."""

    begin = serializers.DateTimeField()
    end = serializers.DateTimeField()
    turns = TurnSerializer(many=True)
