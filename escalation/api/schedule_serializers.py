"""Schedules, who stands in, and who is on call, as the API takes and shows them."""

from datetime import date, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.validators import validate_time_zone
from config.rest.fields import StrictBooleanField, StrictCharField, StrictUUIDField
from escalation.api.fields import ChangeSerializer, whole
from escalation.models import Layer, Schedule, ScheduleOverride
from escalation.models.schedule import MAX_DRILL_DAYS, MAX_PER_TURN, MAX_SHIFT_H
from escalation.policies.words import name_of
from escalation.schedules import links, restrictions
from escalation.schedules.hours import WEEKDAYS, Restriction
from escalation.services.schedules import LayerSaid
from notifications.api.preference_serializers import ClockField, moment

MAX_LAYERS: Final = 20
MAX_MEMBERS: Final = 100
#: How much can be asked for at once.
MAX_SPAN: Final = timedelta(days=92)
_CLOCK: Final = {"type": "string", "example": "22:00"}
RESTRICTIONS: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": restrictions.MAX_RESTRICTIONS,
    "items": {
        "type": "object",
        "properties": {
            "weekdays": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "enum": list(WEEKDAYS)},
                "description": "The days on which it begins.",
            },
            "begin": _CLOCK,
            "end": {**_CLOCK, "description": "On the next day, if this is not after the beginning."},
        },
        "required": ["weekdays", "begin", "end"],
        "additionalProperties": False,
    },
}


@extend_schema_field(RESTRICTIONS)
class RestrictionsField(serializers.Field):
    """When a layer has anybody on call; always, if there are none."""

    def to_internal_value(self, data: Any) -> tuple[Restriction, ...]:
        try:
            return restrictions.restrictions_of(data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)

    def to_representation(self, value: Any) -> Any:
        return value


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


def zone_field() -> StrictCharField:
    return StrictCharField(max_length=64, validators=[validate_time_zone], help_text="Such as Europe/Paris.")


def first_day_field() -> DayField:
    return DayField(help_text="The day of the first shift; for shifts of a week it sets the weekday.")


def handoff_field() -> ClockField:
    return ClockField(help_text="By the clock of the time zone.")


def members_field() -> serializers.ListField:
    return serializers.ListField(
        child=StrictUUIDField(),
        min_length=1,
        max_length=MAX_MEMBERS,
        help_text="Who takes turns, in this order.",
    )


class LayerInSerializer(serializers.Serializer[Any]):
    name = StrictCharField(max_length=100, required=False, allow_blank=True)
    time_zone = zone_field()
    starts_on = first_day_field()
    handoff_at = handoff_field()
    shift_h = whole(MAX_SHIFT_H, least=1, help_text="Hours in a shift: 24 is a day, 168 a week.")
    members = members_field()
    per_turn = whole(
        MAX_PER_TURN, least=1, required=False, help_text="People on call together; 1 by default."
    )
    restrictions = RestrictionsField(
        required=False, help_text="When the layer has anybody on call; always by default."
    )

    def validate(self, attrs: dict[str, Any]) -> Any:
        return LayerSaid(**{**attrs, "members": tuple(attrs["members"])})


class ScheduleInSerializer(serializers.Serializer[Any]):
    drill_every_days = whole(
        MAX_DRILL_DAYS,
        least=1,
        required=False,
        allow_null=True,
        help_text="Whoever is on call is rung for a test every so many days; null: never.",
    )
    drill_at = ClockField(
        required=False, help_text="When, by the clock of the lowest layer; 10:00 by default."
    )
    name = StrictCharField(max_length=100)
    may_have_gaps = StrictBooleanField(
        required=False, help_text="That nobody is on call now and then is meant, and no hole."
    )
    layers = LayerInSerializer(
        many=True,
        allow_empty=False,
        max_length=MAX_LAYERS,  # type: ignore[call-arg]
        help_text="From the lowest. A later one lies over the earlier ones wherever it has somebody on call.",
    )


class ScheduleChangeSerializer(ChangeSerializer, ScheduleInSerializer):
    """Fields you leave out stay as they are; `layers` replaces all layers."""


class MemberSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField(
        allow_null=True,
        help_text="null: they left, and their account was deleted; the next in the order takes these turns.",
    )
    name = serializers.SerializerMethodField()

    def get_name(self, place: Any) -> str:
        return name_of(place.user)


class OverrideSerializer(serializers.ModelSerializer[ScheduleOverride]):
    user_id = serializers.UUIDField()
    name = serializers.SerializerMethodField()
    instead_of_id = serializers.UUIDField(
        allow_null=True, help_text="In whose place alone they stand in; null: in everybody's."
    )

    class Meta:
        model = ScheduleOverride
        fields = ("id", "user_id", "name", "instead_of_id", "starts_at", "ends_at", "created_at")
        read_only_fields = fields

    def get_name(self, override: ScheduleOverride) -> str:
        return name_of(override.user)


class OverrideInSerializer(serializers.Serializer[ScheduleOverride]):
    user_id = StrictUUIDField()
    starts_at = moment()
    ends_at = moment()
    instead_of_id = StrictUUIDField(
        required=False, allow_null=True, help_text="In whose place alone; by default, in everybody's."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["ends_at"] <= attrs["starts_at"]:
            raise serializers.ValidationError({"ends_at": ["It has to end after it starts."]})
        return attrs


class LayerSerializer(serializers.ModelSerializer[Layer]):
    members = MemberSerializer(many=True, source="in_order")
    handoff_at = ClockField()
    restrictions = RestrictionsField()

    class Meta:
        model = Layer
        fields = (
            "name", "time_zone", "starts_on", "handoff_at", "shift_h", "per_turn", "restrictions", "members",
        )  # fmt: skip
        read_only_fields = fields


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    """A schedule; read by ``schedules.selectors.with_layers``."""

    layers = LayerSerializer(many=True, source="in_layers")
    drill_at = ClockField()
    calendar_url = serializers.SerializerMethodField(
        help_text="For calendar programs; anyone who has it can see who is on call."
    )

    class Meta:
        model = Schedule
        fields = (
            "id", "name", "may_have_gaps", "drill_every_days", "drill_at", "layers", "calendar_url",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_calendar_url(self, schedule: Schedule) -> str:
        return links.url_of(links.Target(schedule.pk, schedule.link_version))


class PersonOnCallSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    name = serializers.CharField()


class DutySerializer(serializers.Serializer[Any]):
    """An entry of the final row."""

    people = PersonOnCallSerializer(many=True)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    layer = serializers.IntegerField(
        allow_null=True, help_text="The place of the layer that it comes from; 1 is the lowest."
    )
    override_id = serializers.UUIDField(
        allow_null=True, source="override", help_text="The override that it comes from."
    )


class ScheduleOnCallSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    on_call = DutySerializer(allow_null=True, help_text="null if nobody is.")


class AtSerializer(serializers.Serializer[Any]):
    at = moment(required=False, help_text="Now by default.")


class SpanSerializer(serializers.Serializer[Any]):
    begin = moment(required=False, help_text="Now by default.")
    end = moment(required=False, help_text="Four weeks later by default; at most 92 days.")


class FinalRowSerializer(serializers.Serializer[Any]):
    """Who is on call, in order; the first and the last entry are whole. Where nobody is, there is a gap."""

    begin = serializers.DateTimeField()
    end = serializers.DateTimeField()
    final = DutySerializer(many=True)
