"""Alert groups and silences, as the API takes and shows them."""

from datetime import datetime, timedelta
from typing import Any, Final

from rest_framework import serializers

from accounts.validators import validate_time_zone
from config import clock
from config.rest.fields import SlugOfOneField, StrictCharField, TimeField
from escalation.api.integration_serializers import matchers_field
from escalation.groups.silences import over_at
from escalation.models import AlertGroup, AlertOccurrence, EscalationProcess, GroupedAlert, Silence

MAX_SNOOZE: Final = timedelta(days=30)


class GroupSerializer(serializers.ModelSerializer[AlertGroup]):
    """What is told as one, until it is resolved. ``quiet`` says why nobody is told; empty: they are."""

    integration_name = serializers.CharField(source="integration.name", default=None, allow_null=True)
    shop = SlugOfOneField(slug_field="slug", read_only=True, allow_null=True)
    policy_name = serializers.CharField(source="policy.name", default=None, allow_null=True)
    process_state = serializers.ChoiceField(
        source="process.state",
        choices=EscalationProcess.State.choices,
        default=None,
        allow_null=True,
        help_text="Of its escalation; `unanswered` and `reached_nobody`: it ended, and nobody took it.",
    )

    class Meta:
        model = AlertGroup
        fields: tuple[str, ...] = (
            "id", "integration", "integration_name", "shop", "key", "state", "quiet", "title", "severity",
            "labels", "link", "occurrences", "opened_at", "last_at", "told_at", "rings_at",
            "acknowledged_at", "resolved_at", "ended_by", "ended_via", "policy", "policy_name", "route",
            "silence", "storm", "is_storm", "process", "process_state",
        )  # fmt: skip
        read_only_fields: tuple[str, ...] = fields


class GroupedAlertSerializer(serializers.ModelSerializer[GroupedAlert]):
    """One key of a group: it fires until ``ended_at``."""

    class Meta:
        model = GroupedAlert
        fields = ("key", "title", "link", "occurrences", "began_at", "first_at", "last_at", "ended_at")
        read_only_fields = fields


class SaidSerializer(serializers.ModelSerializer[AlertOccurrence]):
    """One thing that was said of an alert."""

    class Meta:
        model = AlertOccurrence
        fields = ("key", "act", "details", "by", "at", "received_at")
        read_only_fields = fields


class StormedSerializer(serializers.ModelSerializer[AlertGroup]):
    class Meta:
        model = AlertGroup
        fields = ("id", "title", "state", "opened_at", "resolved_at")
        read_only_fields = fields


class GroupDetailSerializer(GroupSerializer):
    """A group with its alerts, firing ones first; what was said, newest first; and why it is told so."""

    alerts = GroupedAlertSerializer(many=True, source="shown_alerts", help_text="At most 200.")
    said = SaidSerializer(many=True, source="shown_said", help_text="The last 100.")
    stormed = StormedSerializer(
        many=True, source="shown_stormed", help_text="Of a storm, the groups that it tells of; at most 200."
    )
    why = serializers.ListField(child=serializers.CharField())

    class Meta(GroupSerializer.Meta):
        fields = (*GroupSerializer.Meta.fields, "why", "alerts", "said", "stormed")
        read_only_fields = fields


class SnoozeSerializer(serializers.Serializer[Any]):
    until = TimeField(first_year=2000, help_text="When it is told again if it is still open; within 30 days.")

    def validate_until(self, until: datetime) -> datetime:
        now = clock.now()
        if not now < until <= now + MAX_SNOOZE:
            raise serializers.ValidationError("Expected a time within the next 30 days.")
        return until


class SilenceInSerializer(serializers.Serializer[Silence]):
    reason = StrictCharField(max_length=200)
    matchers = matchers_field(required=False, help_text="All must hold; without any it silences everything.")
    starts_at = TimeField(first_year=2000, required=False, help_text="Now by default.")
    ends_at = TimeField(first_year=2000, help_text="With a rule: of the first time.")
    rule = StrictCharField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="An RRULE of RFC 5545, such as `FREQ=WEEKLY;BYDAY=SU`: a maintenance window.",
    )
    time_zone = StrictCharField(
        max_length=64,
        required=False,
        validators=[validate_time_zone],
        help_text="Of the rule's hours; UTC by default.",
    )


class SilenceSerializer(serializers.ModelSerializer[Silence]):
    matchers = matchers_field()
    created_by = serializers.EmailField(source="created_by.email", default=None, allow_null=True)
    holds_until = serializers.SerializerMethodField(help_text="Null: it doesn't hold now.")

    class Meta:
        model = Silence
        fields = (
            "id", "reason", "matchers", "starts_at", "ends_at", "rule", "time_zone", "holds_until",
            "created_at", "created_by", "cancelled_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_holds_until(self, silence: Silence) -> datetime | None:
        return over_at(silence, clock.now())
