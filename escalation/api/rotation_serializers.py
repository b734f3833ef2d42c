"""Rotations, the deprecated face of schedules of one layer, as the API takes and shows them."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictCharField, StrictChoiceField
from escalation.api.fields import ChangeSerializer, whole
from escalation.api.schedule_serializers import (
    MemberSerializer,
    ScheduleSerializer,
    first_day_field,
    handoff_field,
    members_field,
    zone_field,
)
from escalation.models import Schedule
from escalation.models.schedule import MAX_SHIFT_H
from escalation.services.rotations import CUSTOM, HOURS, KINDS, kind_of
from notifications.api.preference_serializers import ClockField


class RotationInSerializer(serializers.Serializer[Any]):
    name = StrictCharField(max_length=100)
    kind = StrictChoiceField(choices=KINDS)
    shift_h = whole(
        MAX_SHIFT_H, least=1, required=False, help_text="Hours in a shift; for custom rotations only."
    )
    time_zone = zone_field()
    starts_on = first_day_field()
    handoff_at = handoff_field()
    members = members_field()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["kind"] == CUSTOM and "shift_h" not in attrs:
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
        kind = attrs.get("kind") or kind_of(self.instance.in_layers[0].shift_h)
        _check_hours(kind, attrs.get("shift_h"))
        return attrs


class RotationSerializer(ScheduleSerializer):
    """A schedule of one layer; read by ``schedules.selectors.with_layers``."""

    layers = None  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=KINDS)
    shift_h = serializers.IntegerField(source="layer.shift_h")
    time_zone = serializers.CharField(source="layer.time_zone")
    starts_on = serializers.DateField(source="layer.starts_on")
    handoff_at = ClockField(source="layer.handoff_at")
    members = MemberSerializer(many=True, source="layer.in_order")

    class Meta:
        model = Schedule
        fields = (
            "id", "name", "kind", "shift_h", "time_zone", "starts_on", "handoff_at", "members",
            "calendar_url", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        instance.layer = instance.in_layers[0]
        instance.kind = kind_of(instance.layer.shift_h)
        return super().to_representation(instance)


class TurnSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    name = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    stands_in = serializers.BooleanField(help_text="Whether it is an override.")


class OnCallSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    on_call = TurnSerializer(allow_null=True, help_text="null before the first shift.")


class ShiftsSerializer(serializers.Serializer[Any]):
    """Turns in order; the first and the last are whole."""

    begin = serializers.DateTimeField()
    end = serializers.DateTimeField()
    turns = TurnSerializer(many=True)
