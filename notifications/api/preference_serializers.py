"""Preferences, rules and what they come to, as the API takes and shows them."""

import re
from datetime import UTC, datetime, time
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.rest.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
)
from config.rest.originals import AnyUUIDField
from notifications import own_steps, rules
from notifications.channels import registry
from notifications.models import ChannelHours, Preference, Severity, Subscription
from notifications.services.own_steps import own_step_channels

CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


#: Times that can be asked about; others are mistakes.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def moment(**options: Any) -> serializers.DateTimeField:
    """A time from 2000 to 2100: others are mistakes."""
    return serializers.DateTimeField(default_timezone=UTC, validators=[_check_sane], **options)


def _check_sane(value: datetime) -> None:
    if not EARLIEST <= value < LATEST:
        raise serializers.ValidationError("Expected a time from the year 2000 up to 2100.")


class LevelField(StrictChoiceField):
    """A level, in capitals or not."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.upper() if isinstance(data, str) and data.isascii() else data)


@extend_schema_field({"type": "string", "pattern": f"^{CLOCK.pattern}$", "example": "22:00"})
class ClockField(serializers.Field):
    """A time of the day, by the clock on somebody's wall."""

    default_error_messages = {"invalid": "Expected hours and minutes, such as 22:00."}

    def to_internal_value(self, data: Any) -> time:
        if not isinstance(data, str) or not CLOCK.fullmatch(data):
            self.fail("invalid")
        return time.fromisoformat(data)

    def to_representation(self, value: time) -> str:
        return value.isoformat("minutes")


class _ChangesSerializer(serializers.Serializer[Preference]):
    quiet_from = ClockField(
        required=False,
        allow_null=True,
        help_text=(
            "When quiet hours begin, in the person's own time zone. Only critical messages are sent then. "
            "null: no quiet hours."
        ),
    )
    quiet_until = ClockField(
        required=False,
        allow_null=True,
        help_text="When they end and held messages are sent. Give it with `quiet_from`.",
    )
    digest = StrictBooleanField(required=False, help_text="Send held messages as one mail.")


class PreferenceInSerializer(_ChangesSerializer):
    user_id = AnyUUIDField()
    level = LevelField(choices=Preference.Level.choices, help_text="Case does not matter.")


class PreferenceChangeSerializer(_ChangesSerializer):
    level = LevelField(choices=Preference.Level.choices, required=False, help_text="Case does not matter.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            names = ", ".join(self.fields)
            raise serializers.ValidationError(
                {"level": [f"There is nothing to change: give one of {names}."]}
            )
        return attrs


class PreferenceSerializer(serializers.ModelSerializer[Preference]):
    user_id = serializers.UUIDField()
    quiet_from = ClockField(allow_null=True)
    quiet_until = ClockField(allow_null=True)

    class Meta:
        model = Preference
        fields = ("user_id", "level", "quiet_from", "quiet_until", "digest")
        read_only_fields = fields


class OwnStepSerializer(serializers.Serializer[Any]):
    """After how long, and where: give either a channel or one contact point."""

    after_s = StrictIntegerField(
        min_value=0, max_value=own_steps.MAX_S, help_text="Seconds after an escalation reaches you."
    )
    channel = StrictChoiceField(
        choices=own_step_channels(), required=False, help_text="All your contact points of this channel."
    )
    contact_point_id = StrictUUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("channel" in attrs) == ("contact_point_id" in attrs):
            raise serializers.ValidationError({"channel": ["Give either a channel or a contact_point_id."]})
        return attrs


class OwnStepsInSerializer(serializers.Serializer[Any]):
    """A severity you leave out keeps its steps; an empty list ends them."""

    critical = OwnStepSerializer(many=True, required=False, help_text=f"At most {own_steps.MOST}.")
    standard = OwnStepSerializer(many=True, required=False, help_text=f"At most {own_steps.MOST}.")

    def steps(self) -> dict[str, list[own_steps.OwnStep]]:
        given = self.validated_data
        return {severity: [own_steps.OwnStep(**each) for each in steps] for severity, steps in given.items()}


class OwnStepShownSerializer(serializers.Serializer[Any]):
    after_s = serializers.IntegerField()
    channel = serializers.CharField(allow_blank=True, help_text="Empty if it is one contact point.")
    contact_point_id = serializers.UUIDField(allow_null=True)
    problem = serializers.CharField(
        allow_blank=True, help_text="Why it leads nowhere, so that all contact points are told instead."
    )


class OwnStepsSerializer(serializers.Serializer[Any]):
    """How escalations tell somebody, in the order of time; no steps: everywhere at once."""

    user_id = serializers.UUIDField()
    critical = OwnStepShownSerializer(many=True)
    standard = OwnStepShownSerializer(many=True)


class ChannelHoursSerializer(serializers.Serializer[ChannelHours]):
    """When a person is told of one severity by one channel."""

    channel = StrictChoiceField(choices=own_step_channels())
    severity = StrictChoiceField(choices=Severity.choices)
    told = StrictChoiceField(
        choices=ChannelHours.Told.choices,
        help_text=(
            "`always`: at once, in quiet hours too. `hours`: between `begins` and `ends`; what comes at "
            "other times waits for `begins`. `digest`: once a day at `begins`, as one message where the "
            "channel can. `never`: not by this channel."
        ),
    )
    begins = ClockField(required=False, allow_null=True, help_text="In the person's own time zone.")
    ends = ClockField(required=False, allow_null=True, help_text="For `hours`; may be past midnight.")


class AllHoursInSerializer(serializers.Serializer[Any]):
    """For a channel and severity that you leave out, the level, rules and quiet hours decide alone."""

    hours = ChannelHoursSerializer(many=True, max_length=2 * len(own_step_channels()))  # type: ignore[call-arg]


class AllHoursSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    hours = ChannelHoursSerializer(many=True)


class RuleKeySerializer(serializers.Serializer[Subscription]):
    """What a rule is about; empty means any."""

    channel = StrictChoiceField(
        choices=[*sorted(registry.CHANNELS), ""], help_text="One channel, or empty for any."
    )
    kind = StrictCharField(
        max_length=64,
        allow_blank=True,
        trim_whitespace=False,
        help_text="A kind (`stage.accepted`), a group of them (`stage.*`), or empty for any.",
    )


class SubscriptionInSerializer(RuleKeySerializer):
    is_enabled = StrictBooleanField(help_text="Whether to send it.")


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    user_id = serializers.UUIDField()
    channel = serializers.CharField(allow_blank=True)
    kind = serializers.CharField(allow_blank=True)

    class Meta:
        model = Subscription
        fields = ("user_id", "channel", "kind", "is_enabled", "updated_at")
        read_only_fields = fields


class QuestionSerializer(serializers.Serializer[Any]):
    """A notification to try out."""

    kind = StrictCharField(
        max_length=64, help_text="`alert`, `stage.accepted`, …; all but alerts go to the inbox."
    )
    severity = StrictChoiceField(choices=Severity.choices, default=Severity.STANDARD)
    at = moment(required=False, help_text="When it would be sent; now by default.")

    def validate_kind(self, kind: str) -> str:
        if not rules.KIND.fullmatch(kind) or kind.endswith("*"):
            raise serializers.ValidationError("Expected a kind, such as stage.accepted.")
        return kind


class DecisionSerializer(serializers.Serializer[Any]):
    """What would happen to it at one contact point, in the inbox, or by the default channel."""

    contact_point_id = serializers.UUIDField(allow_null=True)
    channel = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["now", "later", "held", "not_told"])
    due_at = serializers.DateTimeField(help_text="When it would be sent, if it would.")
    reason = serializers.CharField(allow_blank=True)
    held_until = serializers.DateTimeField(allow_null=True)
    explanation = serializers.CharField()


class AnswerSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    kind = serializers.CharField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    at = serializers.DateTimeField()
    decisions = DecisionSerializer(many=True, help_text="Empty for somebody who is not active.")
