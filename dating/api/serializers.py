"""Dating as the API takes and shows it."""

from datetime import date, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import User
from accounts.validators import validate_time_zone
from config.rest.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
    TimeField,
)
from dating.ages import validate_birthday
from dating.meetings import DEFAULT, NEEDS, PROVIDERS, is_offered
from dating.models import DatingProfile, Event, LogEntry, Reaction, Registration
from dating.services.evening import EXTENSION_MAX_S

_DAY_S: Final = 86_400


@extend_schema_field({"type": "string", "format": "date"})
class DayField(StrictCharField):
    """A day, as 1999-05-01."""

    def to_internal_value(self, data: Any) -> Any:
        return serializers.DateField(input_formats=["%Y-%m-%d"]).to_internal_value(
            super().to_internal_value(data)
        )

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


class PersonField(StrictUUIDField):
    """Somebody by their id, who has an account in use."""

    default_error_messages = {"unknown": "There is no one with that id."}

    def to_internal_value(self, data: Any) -> Any:
        found = User.objects.filter(pk=super().to_internal_value(data), is_active=True).first()
        return found or self.fail("unknown")


def _seconds(smallest: int, largest: int, default: int, help_text: str) -> StrictIntegerField:
    return StrictIntegerField(min_value=smallest, max_value=largest, default=default, help_text=help_text)


class DatingEventInSerializer(serializers.Serializer[Event]):
    """A new event. Fields you leave out get the default shown."""

    title = StrictCharField(max_length=200)
    starts_at = TimeField(first_year=2000)
    time_zone = StrictCharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="IANA name, such as Europe/Paris.",
    )
    organiser = PersonField(required=False, help_text="Who may run it, besides the staff; you by default.")
    two_pools = StrictBooleanField(default=False, help_text="Two pools, by what each person seeks.")
    users_limit = StrictIntegerField(min_value=2, max_value=200, default=20, help_text="People in a group.")
    places = StrictIntegerField(
        min_value=2,
        max_value=10_000,
        default=None,
        allow_null=True,
        help_text="Anyone beyond that waits; of two pools, neither gets more than half. Null: no limit.",
    )
    max_rounds = StrictIntegerField(
        min_value=1,
        max_value=200,
        default=None,
        allow_null=True,
        help_text="Most dates per person; null: all.",
    )
    confirm_before_s = _seconds(
        0, 30 * _DAY_S, _DAY_S, "Seconds before the start: people are asked to confirm."
    )
    close_before_s = _seconds(0, 30 * _DAY_S, 3600, "Seconds before the start: groups are made.")
    rules_before_s = _seconds(0, 30 * _DAY_S, 300, "Seconds before the start: rules and ready check.")
    round_s = _seconds(1, _DAY_S, 300, "Seconds that a round takes.")
    break_s = _seconds(0, _DAY_S, 60, "Seconds between two rounds; of Google Meet's 15 at least.")
    provider = StrictChoiceField(
        choices=list(PROVIDERS),
        default=DEFAULT,
        help_text="Where the calls take place: a provider that is set up here.",
    )

    def validate_provider(self, value: str) -> str:
        if not is_offered(value):
            raise serializers.ValidationError(f"It is not set up here: {NEEDS[value]}.")
        return value


class DatingEventSerializer(serializers.ModelSerializer[Event]):
    """An event and its progress."""

    organiser = serializers.UUIDField(source="organiser_id", allow_null=True)
    state = serializers.IntegerField(
        help_text="0 not started, 1 confirming, 2 ready, 3 running, 4 finished, 5 skipped."
    )
    step = serializers.CharField()
    registered = serializers.IntegerField(help_text="How many hold a place.")
    waiting = serializers.IntegerField(help_text="How many are on the waiting list.")

    class Meta:
        model = Event
        fields: tuple[str, ...] = (
            "id", "number", "title", "starts_at", "time_zone", "organiser", "state", "step", "deadline_at",
            "current_round", "paused_at", "skipped_reason", "two_pools", "users_limit", "places",
            "max_rounds", "confirm_before_s", "close_before_s", "rules_before_s", "round_s", "break_s",
            "provider", "registered", "waiting", "created_at", "over_at",
        )  # fmt: skip
        read_only_fields = fields


class CommandInSerializer(serializers.Serializer[Any]):
    """Who it is for: machines have to say, staff may, and everyone else acts for themselves."""

    user_id = StrictUUIDField(required=False)


class RegisteredSerializer(serializers.Serializer[Any]):
    user_registered = serializers.BooleanField()


class ConfirmedSerializer(serializers.Serializer[Any]):
    registration_confirmed = serializers.BooleanField()


class CancelledSerializer(serializers.Serializer[Any]):
    registration_cancelled = serializers.BooleanField()


class DatingRegistrationSerializer(serializers.ModelSerializer[Registration]):
    """Somebody's part in an event."""

    event_id = serializers.UUIDField()
    state = serializers.CharField()
    left_out = serializers.CharField(help_text="The reason, if the state is left_out.")
    title = serializers.CharField(source="event.title")
    starts_at = serializers.DateTimeField(source="event.starts_at")

    class Meta:
        model = Registration
        fields = (
            "id", "event_id", "title", "starts_at", "state", "left_out", "registered_at", "asked_at",
            "confirmed_at", "cancelled_at",
        )  # fmt: skip
        read_only_fields = fields


class DatingProfileSerializer(serializers.Serializer[DatingProfile]):
    """What matching knows about you. Without a birthday you can't be matched."""

    birthday = DayField(required=False, allow_null=True)
    city = StrictCharField(required=False, allow_blank=True, max_length=100)
    seeks = StrictChoiceField(choices=DatingProfile.Seeks.choices, required=False)

    def validate_birthday(self, value: date | None) -> date | None:
        if value is not None:
            try:
                validate_birthday(value)
            except DjangoValidationError as error:
                raise serializers.ValidationError(error.messages)
        return value


class MetPersonSerializer(serializers.Serializer[Registration]):
    """A participant, as the other participants see them."""

    registration_id = serializers.UUIDField(source="pk")
    name = serializers.CharField(source="user.first_name")


class CallSerializer(serializers.Serializer[Any]):
    """Your call in the current round."""

    round = serializers.IntegerField()
    partner = MetPersonSerializer()
    url = serializers.CharField(help_text="Where you join; joining is recorded.")
    ends_at = serializers.DateTimeField()


class ReactionSerializer(serializers.Serializer[Reaction]):
    about = serializers.UUIDField(source="about_id")
    kind = serializers.CharField()
    text = serializers.CharField()


class EveningSerializer(serializers.Serializer[Any]):
    """The evening as a participant sees it."""

    step = serializers.CharField()
    round = serializers.IntegerField()
    deadline_at = serializers.DateTimeField(allow_null=True, help_text="When the next step begins.")
    paused = serializers.BooleanField()
    state = serializers.CharField(help_text="The state of your registration.")
    ready = serializers.BooleanField()
    call = CallSerializer(allow_null=True)
    met = MetPersonSerializer(many=True)
    missed = MetPersonSerializer(
        many=True, help_text="People you had a date with that one of you missed; you can still report them."
    )
    reactions = ReactionSerializer(many=True)
    matches = MetPersonSerializer(many=True, help_text="Shown once the event is over.")


class ReactionInSerializer(serializers.Serializer[Any]):
    about = StrictUUIDField(
        help_text="The registration of someone you met; a report can also name someone you missed."
    )
    kind = StrictChoiceField(choices=Reaction.Kind.choices)
    text = StrictCharField(required=False, allow_blank=True, max_length=2000, help_text="Reports only.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("text") and attrs["kind"] != Reaction.Kind.REPORT:
            raise serializers.ValidationError({"text": ["Only a report has a text."]})
        return attrs


class JoinedSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="The call itself, for you alone.")


class ExtendInSerializer(serializers.Serializer[Any]):
    by_s = StrictIntegerField(min_value=1, max_value=EXTENSION_MAX_S, help_text="Seconds.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"by": timedelta(seconds=attrs["by_s"])}


class DropInSerializer(serializers.Serializer[Any]):
    registration_id = StrictUUIDField()


class SheetEntrySerializer(serializers.ModelSerializer[LogEntry]):
    class Meta:
        model = LogEntry
        fields = ("what", "round_number", "due_at", "done_at", "details")
        read_only_fields = fields


class SheetMemberSerializer(serializers.Serializer[Registration]):
    registration_id = serializers.UUIDField(source="pk")
    name = serializers.CharField(source="user.first_name")
    state = serializers.CharField()
    pool = serializers.IntegerField()
    ready_at = serializers.DateTimeField(allow_null=True)
    last_sign_at = serializers.DateTimeField(allow_null=True)
    no_shows = serializers.IntegerField()


class SheetDateSerializer(serializers.Serializer[Any]):
    round = serializers.IntegerField(source="round.number")
    first = serializers.UUIDField(source="first_id")
    second = serializers.UUIDField(source="second_id")
    room = serializers.IntegerField(source="room.number", allow_null=True, default=None)
    status = serializers.CharField()


class SheetGroupSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    members = SheetMemberSerializer(many=True)
    dates = SheetDateSerializer(many=True, help_text="Those that have a round.")


class RunSheetSerializer(serializers.Serializer[Any]):
    """An evening as its organisers see it."""

    event = DatingEventSerializer()
    groups = SheetGroupSerializer(many=True)
    log = SheetEntrySerializer(many=True)
    results = serializers.DictField(allow_null=True)
