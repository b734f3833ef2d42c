"""Schedules, who stands in, and who is on call, as the API takes and shows them."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from accounts.validators import validate_time_zone
from config.rest.fields import StrictBooleanField, StrictCharField, StrictUUIDField
from escalation import ical_addresses as addresses
from escalation.api.fields import ChangeSerializer, whole
from escalation.calendars.facts import REASONS
from escalation.models import Layer, LayerCalendar, Schedule, ScheduleOverride
from escalation.models.schedule import MAX_DRILL_DAYS, MAX_PER_TURN, MAX_SHIFT_H
from escalation.policies.words import name_of
from escalation.schedules import links, restrictions
from escalation.schedules.hours import WEEKDAYS, Restriction
from escalation.services.schedules import LayerSaid
from notifications.api.preference_serializers import ClockField, moment
from notifications.channels.transport import http_url

MAX_LAYERS: Final = 20
MAX_MEMBERS: Final = 100
#: How much can be asked for at once.
MAX_SPAN: Final = timedelta(days=92)
# What every layer of turns says.
_OF_SHIFTS: Final = ("starts_on", "handoff_at", "shift_h")
_NEEDED: Final = (*_OF_SHIFTS, "members")
# How a layer with a calendar shows that nobody takes turns in it.
_WITHOUT_TURNS: Final[list[tuple[str, Any]]] = [
    *((name, None) for name in _OF_SHIFTS), ("members", []), ("restrictions", []), ("per_turn", 1),
]  # fmt: skip
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


class ICalAddressField(StrictCharField):
    """The address of an external calendar, in normal form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=http_url.MAX_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        try:
            return addresses.normalised(super().to_internal_value(data))
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)


def zone_field() -> StrictCharField:
    return StrictCharField(max_length=64, validators=[validate_time_zone], help_text="Such as Europe/Paris.")


def first_day_field(**options: Any) -> DayField:
    return DayField(
        help_text="The day of the first shift; for shifts of a week it sets the weekday.", **options
    )


def handoff_field(**options: Any) -> ClockField:
    return ClockField(help_text="By the clock of the time zone.", **options)


def members_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=StrictUUIDField(),
        min_length=1,
        max_length=MAX_MEMBERS,
        help_text="Who takes turns, in this order.",
        **options,
    )


class LayerInSerializer(serializers.Serializer[Any]):
    name = StrictCharField(max_length=100, required=False, allow_blank=True)
    time_zone = zone_field()
    starts_on = first_day_field(required=False)
    handoff_at = handoff_field(required=False)
    shift_h = whole(
        MAX_SHIFT_H, least=1, required=False, help_text="Hours in a shift: 24 is a day, 168 a week."
    )
    members = members_field(required=False)
    ical_url = ICalAddressField(
        required=False,
        help_text="The https address of an iCalendar file whose events say who is on call. With it, a layer "
        "has only a name and a time zone; without it, it needs first day, handoff, shift and members.",
    )
    per_turn = whole(
        MAX_PER_TURN, least=1, required=False, help_text="People on call together; 1 by default."
    )
    restrictions = RestrictionsField(
        required=False, help_text="When the layer has anybody on call; always by default."
    )

    def to_internal_value(self, data: Any) -> Any:
        # A layer may be sent as it was read: what it hasn't is null or empty there.
        if isinstance(data, dict) and data.get("ical_url") == "":
            data = {name: value for name, value in data.items() if name != "ical_url"}
        elif isinstance(data, dict) and "ical_url" in data:
            data = {name: value for name, value in data.items() if (name, value) not in _WITHOUT_TURNS}
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> Any:
        of_turns = {*_NEEDED, "per_turn", "restrictions"}
        if "ical_url" in attrs:
            if others := sorted(of_turns & attrs.keys()):
                raise serializers.ValidationError(
                    {name: ["Leave this out: the calendar says who is on call."] for name in others}
                )
            return LayerSaid(**attrs)
        if missing := [name for name in _NEEDED if name not in attrs]:
            required = serializers.Field.default_error_messages["required"]
            raise serializers.ValidationError({name: [required] for name in missing}, code="required")
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


class CalendarProblemSerializer(serializers.Serializer[Any]):
    """An event of an external calendar by which somebody isn't on call who should be."""

    reason = serializers.ChoiceField(choices=list(REASONS.items()))
    summary = serializers.CharField(help_text="The beginning of its title.")
    email = serializers.CharField(help_text="The address that means nobody here; empty if there is none.")
    times = serializers.IntegerField(help_text="How often.")
    first_at = serializers.DateTimeField(allow_null=True, help_text="The first time that is read.")


class LayerCalendarSerializer(serializers.ModelSerializer[LayerCalendar]):
    """How an external calendar was last read."""

    fetched_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last fetched, changed or not; null: never yet."
    )
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="Since when it can't be read; what was last read still counts."
    )
    error = serializers.CharField(help_text="Why it can't be read; empty if it can.")
    problems = serializers.SerializerMethodField(help_text="The first ones; only the staff see them.")
    problems_count = serializers.IntegerField(help_text="How many there are.")

    class Meta:
        model = LayerCalendar
        fields = ("fetched_at", "failing_since", "error", "problems", "problems_count")
        read_only_fields = fields

    @extend_schema_field(CalendarProblemSerializer(many=True))
    def get_problems(self, calendar: LayerCalendar) -> Any:
        given = calendar.problems if _may_change(self.context) else []
        return CalendarProblemSerializer(given, many=True).data


class LayerSerializer(serializers.ModelSerializer[Layer]):
    """With an `ical_url`, nobody takes turns: what says when they do is null, and `members` is empty."""

    members = MemberSerializer(many=True, source="in_order")
    starts_on = serializers.DateField(allow_null=True)
    handoff_at = ClockField(allow_null=True)
    shift_h = serializers.IntegerField(allow_null=True)
    restrictions = RestrictionsField()
    ical_url = serializers.SerializerMethodField(
        help_text="The address of the calendar that says who is on call; empty: people take turns. Whoever "
        "may not change the schedule sees its host alone."
    )
    calendar = serializers.SerializerMethodField(
        help_text="How that calendar was last read; null: not yet, or there is none."
    )

    class Meta:
        model = Layer
        fields = (
            "name", "time_zone", "starts_on", "handoff_at", "shift_h", "per_turn", "restrictions", "members",
            "ical_url", "calendar",
        )  # fmt: skip
        read_only_fields = fields

    def get_ical_url(self, layer: Layer) -> str:
        return layer.ical_url if _may_change(self.context) else addresses.masked(layer.ical_url)

    @extend_schema_field(LayerCalendarSerializer(allow_null=True))
    def get_calendar(self, layer: Layer) -> Any:
        calendar = getattr(layer, "calendar", None)
        # What was read at an address that it had before says nothing of this one.
        if calendar is None or calendar.url != layer.ical_url:
            return None
        return LayerCalendarSerializer(calendar, context=self.context).data

    def to_representation(self, instance: Layer) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return shown | dict.fromkeys(_OF_SHIFTS) if instance.ical_url else shown


def _may_change(context: Mapping[str, Any]) -> bool:
    """Whether whoever asks may change schedules, as accounts.rights has it."""
    user = context["request"].user
    return isinstance(user, User) and user.is_staff


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
