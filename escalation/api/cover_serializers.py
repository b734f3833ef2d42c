"""Asking others to stand in, as the API takes and shows it."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictCharField, StrictUUIDField
from escalation.models import CoverRequest
from escalation.policies.words import name_of
from notifications.api.preference_serializers import moment


class CoverInSerializer(serializers.Serializer[Any]):
    starts_at = moment(help_text="You are on call from here …")
    ends_at = moment(help_text="… until here.")
    asked_id = StrictUUIDField(required=False, allow_null=True, help_text="One person; null: all others.")
    return_starts_at = moment(required=False, help_text="For a swap: a time on call of theirs that you take.")
    return_ends_at = moment(required=False)
    note = StrictCharField(max_length=200, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": ["It has to end after it starts."]})
        return attrs


class CoverSerializer(serializers.ModelSerializer[CoverRequest]):
    asked_by_id = serializers.UUIDField()
    asked_by_name = serializers.SerializerMethodField()
    asked_id = serializers.UUIDField(allow_null=True, help_text="null: everybody else in the schedule.")
    answered_by_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = CoverRequest
        fields = (
            "id", "asked_by_id", "asked_by_name", "asked_id", "starts_at", "ends_at", "return_starts_at",
            "return_ends_at", "note", "state", "answered_by_id", "answered_at", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_asked_by_name(self, request: CoverRequest) -> str:
        return name_of(request.asked_by)
