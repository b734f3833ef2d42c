"""Holes, as the API shows them."""

from typing import Any

from rest_framework import serializers

from escalation.api.schedule_serializers import PersonOnCallSerializer
from escalation.models import Hole


class HoleSerializer(serializers.Serializer[Any]):
    """Of a schedule, or (a step that reaches nobody) of a policy."""

    kind = serializers.ChoiceField(choices=Hole.Kind.choices)
    schedule_id = serializers.UUIDField(allow_null=True)
    policy_id = serializers.UUIDField(allow_null=True)
    of = serializers.CharField(help_text="The name of the schedule or the policy.")
    starts_at = serializers.DateTimeField(
        allow_null=True, help_text="null: it has been there for over a week, or has no time, as a step."
    )
    ends_at = serializers.DateTimeField(allow_null=True, help_text="null: there is no end in sight.")
    times = serializers.IntegerField(
        help_text="How often it comes: at the same hours of a week, or with each time of the same person."
    )
    people = PersonOnCallSerializer(many=True, help_text="Whom nothing reaches.")
    explanation = serializers.CharField()


class HolesSerializer(serializers.Serializer[Any]):
    """``holes`` begin before ``until``; the first comes first."""

    at = serializers.DateTimeField()
    until = serializers.DateTimeField()
    holes = HoleSerializer(many=True)
