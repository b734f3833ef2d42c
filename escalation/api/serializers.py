"""Escalations as the API shows them; what it takes is in the original's JSON (escalation.requests)."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from escalation import requests
from escalation.models import EscalationProcess
from escalation.services.requests import IGNORED, STARTED, STOPPED
from notifications.api.serializers import AttemptSerializer
from notifications.channels import registry
from notifications.explanations import explain
from notifications.models import Delivery, Severity

_TIME: Final[dict[str, Any]] = {
    "type": "number",
    "minimum": 0,
    "exclusiveMaximum": True,
    "maximum": requests.TIME_END,
    "description": "Unix seconds; a past time is due at once.",
}


def _addresses() -> dict[str, dict[str, str]]:
    """Return the fields that hold addresses, each with what it holds and for which channels."""
    texts: dict[str, list[str]] = {}
    for name, field in registry.ADDRESS_FIELDS.items():
        texts.setdefault(field, []).append(f"For {name}: {registry.get(name).address_type}.")
    texts[requests.ADDRESS_FIELDS[requests.USER]] = ["For user: that person's inbox and contact points."]
    return {field: {"type": "string", "description": " ".join(text)} for field, text in texts.items()}


_PROCESS_ID: Final = {"type": "string", "minLength": 1, "maxLength": requests.ID_MAX_LENGTH}
# Which field holds an address depends on the channel.
_START: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Start",
    "properties": {
        "process-id": _PROCESS_ID,
        "action": {"type": "string", "enum": ["start"]},
        "notifications": {
            "type": "array",
            "minItems": 1,
            "maxItems": requests.MAX_NOTIFICATIONS,
            "description": "Give these, or a policy.",
            "items": {
                "type": "object",
                "properties": {
                    "channel": {"type": "string", "enum": list(requests.ADDRESS_FIELDS)},
                    "at": _TIME,
                    **_addresses(),
                },
                "required": ["channel", "at"],
            },
        },
        "policy": {
            "type": "string",
            "maxLength": 100,
            "description": "In place of notifications: the name of a policy.",
        },
        "severity": {
            "type": "string",
            "enum": Severity.values,
            "description": "With a policy: of this process; by default, the policy's.",
        },
        "details": {
            "type": "string",
            "maxLength": requests.DETAILS_MAX_LENGTH,
            "description": "With a policy: what the messages say besides.",
        },
    },
    "required": ["process-id", "action"],
}
_STOP: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Stop",
    "description": "Other fields are not read.",
    "properties": {"process-id": _PROCESS_ID, "action": {"type": "string", "enum": ["stop"]}},
    "required": ["process-id", "action"],
}
#: The body of a request.
REQUEST_SCHEMA: Final[dict[str, Any]] = {"oneOf": [_START, _STOP]}


class ProcessSerializer(serializers.ModelSerializer[EscalationProcess]):
    """One run of a process."""

    policy = serializers.CharField(
        source="policy_version.policy.name",
        default=None,
        read_only=True,
        allow_null=True,
        help_text="The policy that started it.",
    )
    policy_version = serializers.IntegerField(
        source="policy_version.number", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = EscalationProcess
        fields: tuple[str, ...] = (
            "id", "process_id", "state", "started_at", "ended_at", "ended_by", "ended_via",
            "acknowledged_at", "resume_at", "round", "next_round_at", "last_resort_at", "policy",
            "policy_version", "severity",
        )  # fmt: skip
        read_only_fields = fields


class HistorySerializer(serializers.ModelSerializer[Delivery]):
    """One notification of a process: who was to be told, when, and what happened."""

    number = serializers.IntegerField(source="place", help_text="Its place in the process, from 1.")
    delivery_id = serializers.UUIDField(source="pk")
    user_id = serializers.UUIDField(allow_null=True)
    contact_point_id = serializers.UUIDField(allow_null=True)
    explanation = serializers.SerializerMethodField(help_text="The reason for its state, in one sentence.")
    address = serializers.SerializerMethodField(help_text="A phone's push token is withheld.")
    data = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="The notification as machines see it."
    )
    attempts = AttemptSerializer(many=True, source="attempt_set")

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            "number", "delivery_id", "channel", "address", "user_id", "contact_point_id", "due_at",
            "status", "reason", "explanation", "sent_at", "data", "attempts",
        )  # fmt: skip
        read_only_fields = fields

    def get_explanation(self, delivery: Delivery) -> str:
        return explain(delivery)

    def get_address(self, delivery: Delivery) -> str:
        return registry.shown(delivery.channel, delivery.address)

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_data(self, delivery: Delivery) -> Any:
        return delivery.notification.data


class ProcessDetailSerializer(ProcessSerializer):
    """The latest run of a process with its history, and the runs before it."""

    details = serializers.CharField(allow_blank=True, help_text="What its messages say besides.")
    notifications = HistorySerializer(many=True)
    earlier_runs = ProcessSerializer(many=True, help_text="The 50 before it, newest first.")

    class Meta(ProcessSerializer.Meta):
        fields = (*ProcessSerializer.Meta.fields, "details", "notifications", "earlier_runs")
        read_only_fields = fields


class ProcessAnswerSerializer(serializers.Serializer[Any]):
    """The result of a start or a stop."""

    result = serializers.ChoiceField(choices=[STARTED, STOPPED, IGNORED])
    detail = serializers.CharField(allow_blank=True, help_text="Why it was ignored.")
    process = ProcessSerializer(allow_null=True)
