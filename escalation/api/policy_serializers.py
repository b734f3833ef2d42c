"""Policies and what they come to, as the API takes and shows them."""

from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.validators import validate_time_zone
from config.rest.fields import StrictBooleanField, StrictCharField, StrictChoiceField
from escalation.api.fields import ChangeSerializer, whole
from escalation.models import Policy, PolicyVersion
from escalation.policies import definition, parsing
from escalation.policies.definition import Definition
from escalation.policies.selectors import problems_now
from escalation.schedules.hours import WEEKDAYS
from notifications.api.preference_serializers import moment
from notifications.channels import registry
from notifications.models import Severity

_CHANNELS: Final = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Only these channels; all if empty.",
}
_WHOM: Final = {
    "type": "string",
    "enum": list(definition.WHOM),
    "default": definition.ON_CALL,
    "description": "`on_call`: whoever is on call then. `everyone`: all its people. `next`: for each new "
    "process, the next of its people.",
}
_CLOCK: Final = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_ONLY: Final = {
    "type": "object",
    "description": "Left out unless this holds when it is due, by the clock in the policy's `time_zone`.",
    "properties": {
        "weekdays": {
            "type": "array",
            "items": {"type": "string", "enum": list(WEEKDAYS)},
            "minItems": 1,
            "maxItems": 7,
            "description": "The hours of a night belong to the day on which they begin.",
        },
        "begin": {**_CLOCK, "description": "Give it with `end`."},
        "end": {**_CLOCK, "description": "On the next day if it is not after `begin`."},
        "severity": {"type": "string", "enum": Severity.values},
    },
    "additionalProperties": False,
}
_UUID: Final = {"type": "string", "format": "uuid"}


def _target(type_: str, required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": [type_]}, **properties},
        "required": ["type", *required],
        "additionalProperties": False,
    }


def _targets(least: int, whom: dict[str, Any], **also: Any) -> dict[str, Any]:
    several = {"channels": _CHANNELS, "whom": whom}
    return {
        "type": "array",
        "minItems": least,
        "maxItems": definition.MAX_TARGETS,
        "items": {
            "oneOf": [
                _target("user", ("user_id",), user_id=_UUID, channels=_CHANNELS, **also),
                _target("schedule", ("schedule_id",), schedule_id=_UUID, **several, **also),
                {
                    **_target("rotation", ("rotation_id",), rotation_id=_UUID, **several, **also),
                    "deprecated": True,
                },
                _target(
                    "address",
                    ("channel", "address"),
                    channel={"type": "string", "enum": list(registry.ADDRESS_FIELDS)},
                    address={"type": "string", "maxLength": 2048},
                    **also,
                ),
            ]
        },
    }


RESORT: Final = _targets(0, {**_WHOM, "enum": [definition.ON_CALL, definition.EVERYONE]})
STEPS: Final[dict[str, Any]] = {
    "type": "array",
    "minItems": 1,
    "maxItems": definition.MAX_STEPS,
    "items": {
        "type": "object",
        "properties": {
            "after_s": {
                "type": "integer",
                "minimum": 0,
                "maximum": definition.MAX_S,
                "description": "Seconds from the beginning of the round.",
            },
            "targets": _targets(1, _WHOM, only=_ONLY),
            "only": _ONLY,
        },
        "required": ["after_s", "targets"],
        "additionalProperties": False,
    },
}


@extend_schema_field(STEPS)
class StepsField(serializers.Field):
    """Steps, each with its delay and its targets; kept in the order of the delays."""

    def to_internal_value(self, data: Any) -> tuple[definition.Step, ...]:
        try:
            return parsing.steps_of(data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(RESORT)
class LastResortField(serializers.Field):
    """Targets as those of a step, or none."""

    def to_internal_value(self, data: Any) -> tuple[definition.Target, ...]:
        try:
            return parsing.targets_of(data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)

    def to_representation(self, value: Any) -> Any:
        return value


class PolicyInSerializer(serializers.Serializer[Any]):
    """Fields you leave out get their defaults: one round, no limit to acknowledgements, critical."""

    repeats = whole(definition.MAX_REPEATS, required=False, help_text="Further rounds after the first.")
    repeat_every_s = whole(
        definition.MAX_S,
        required=False,
        help_text="From the beginning of one round to the next; longer than the last step's delay.",
    )
    acknowledge_timeout_s = whole(
        definition.MAX_S,
        least=1,
        required=False,
        allow_null=True,
        help_text="How long an acknowledgement holds before the process resumes; null: for good.",
    )
    severity = StrictChoiceField(
        choices=Severity.choices,
        required=False,
        help_text="Critical messages are sent in quiet hours, and to people who want critical alerts only.",
    )
    time_zone = StrictCharField(
        max_length=64,
        required=False,
        validators=[validate_time_zone],
        help_text="Of the hours and weekdays of conditions, such as Europe/Paris; UTC by default.",
    )
    repeat_until_acknowledged = StrictBooleanField(
        required=False,
        help_text="Begin a round every `repeat_every_s` until somebody acknowledges, for a day at most; in "
        "place of `repeats`.",
    )
    last_resort = LastResortField(
        required=False, help_text="Who is told once nobody took it; the installation's own if empty."
    )
    name = StrictCharField(max_length=100)
    steps = StepsField()

    def definition(self) -> Definition:
        return Definition(**{name: value for name, value in self.validated_data.items() if name != "name"})


class PolicyChangeSerializer(ChangeSerializer, PolicyInSerializer):
    """Fields you leave out stay as they are."""


class PolicyVersionSerializer(serializers.ModelSerializer[PolicyVersion]):
    """What a policy said from ``created_at`` to the next version."""

    version = serializers.IntegerField(source="number")
    steps = StepsField()
    last_resort = LastResortField()
    changed_by = serializers.EmailField(source="created_by.email", default=None, allow_null=True)

    class Meta:
        model = PolicyVersion
        fields = (
            "version", "steps", "repeats", "repeat_every_s", "repeat_until_acknowledged",
            "acknowledge_timeout_s", "severity", "time_zone", "last_resort", "created_at", "changed_by",
        )  # fmt: skip
        read_only_fields = fields


class PolicySerializer(serializers.ModelSerializer[Policy]):
    """A policy with what it says now; read by ``policies.selectors.policies``."""

    version = serializers.IntegerField(source="now.number")
    steps = StepsField(source="now.steps")
    repeats = serializers.IntegerField(source="now.repeats")
    repeat_every_s = serializers.IntegerField(source="now.repeat_every_s")
    repeat_until_acknowledged = serializers.BooleanField(source="now.repeat_until_acknowledged")
    acknowledge_timeout_s = serializers.IntegerField(source="now.acknowledge_timeout_s", allow_null=True)
    last_resort = LastResortField(source="now.last_resort")
    severity = serializers.ChoiceField(source="now.severity", choices=Severity.choices)
    time_zone = serializers.CharField(source="now.time_zone")

    class Meta:
        model = Policy
        fields: tuple[str, ...] = (
            "id", "name", "version", "steps", "repeats", "repeat_every_s", "repeat_until_acknowledged",
            "acknowledge_timeout_s", "severity", "time_zone", "last_resort", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields: tuple[str, ...] = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        instance.now = instance.newest[0]
        return super().to_representation(instance)


class ProblemSerializer(serializers.Serializer[Any]):
    """A step, the last resort, or all of it at some times of the week, that reaches nobody as things are."""

    step = serializers.IntegerField(allow_null=True, help_text="From 1; null: none of the steps alone.")
    explanation = serializers.CharField()


class PolicyDetailSerializer(PolicySerializer):
    """A policy with what is wrong with it now: ``problems`` is empty if each step reaches somebody."""

    problems = ProblemSerializer(many=True)

    class Meta(PolicySerializer.Meta):
        fields = (*PolicySerializer.Meta.fields, "problems")
        read_only_fields = fields

    def to_representation(self, instance: Any) -> dict[str, Any]:
        instance.problems = problems_now(instance.newest[0])
        return super().to_representation(instance)


class SimulateInSerializer(serializers.Serializer[Any]):
    at = moment(required=False, help_text="When it would start; now by default.")
    severity = StrictChoiceField(
        choices=Severity.choices, required=False, help_text="Of the escalation; by default, the policy's."
    )


class TellingSerializer(serializers.Serializer[Any]):
    """A message that would be sent, or not, and why."""

    round = serializers.IntegerField()
    step = serializers.IntegerField()
    at = serializers.DateTimeField(
        help_text="When the step is due; if the person has steps of their own, when that one is."
    )
    due_at = serializers.DateTimeField(
        help_text="When the message is due: later if quiet hours hold it back."
    )
    user_id = serializers.UUIDField(allow_null=True, source="user.pk", default=None)
    name = serializers.CharField(help_text="Who is told; empty for an address without a person.")
    via = serializers.CharField(help_text="The schedule by which they are told.")
    channel = serializers.CharField()
    address = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["told", "held", "not_told"])
    reason = serializers.CharField()
    explanation = serializers.CharField()


class SimulationSerializer(serializers.Serializer[Any]):
    """Who would be told, and when, in order of time."""

    policy = serializers.CharField()
    version = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    tellings = TellingSerializer(many=True)
