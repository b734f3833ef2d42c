"""Events and dead letters as the API takes and shows them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.rest.fields import StrictCharField, StrictUUIDField, TimeField
from notifications.api.serializers import SelectionSerializer
from notifications.events import topics
from notifications.events.outbox import meta
from notifications.events.payloads import RESERVED, SOURCE_MAX_LENGTH
from notifications.models import Event, HandlerRun


@extend_schema_field(
    {
        "type": "string",
        "maxLength": topics.MAX_LENGTH,
        "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        "description": "Words with dots between. `auth.*` is reserved for this service.",
        "example": "stage.accepted",
    }
)
class RoutingKeyField(StrictCharField):
    """Words with dots between."""

    def to_internal_value(self, data: Any) -> str:
        key = super().to_internal_value(data)
        if not topics.is_routing_key(key):
            raise serializers.ValidationError(topics.KEY_MESSAGE)
        if topics.matches(RESERVED, key):
            raise serializers.ValidationError(
                "Only this service publishes auth.* events; choose another key."
            )
        return key


class MetaInSerializer(serializers.Serializer[Event]):
    routing_key = RoutingKeyField(trim_whitespace=False)
    source = StrictCharField(  # type: ignore[assignment]
        max_length=SOURCE_MAX_LENGTH, required=False, help_text="Which service it comes from."
    )
    timestamp = TimeField(required=False, help_text="When it happened.")
    event_id = StrictUUIDField(required=False, help_text="Your own id for it, which makes a repeat harmless.")


class PayloadField(serializers.DictField):
    default_error_messages = {"not_a_dict": "Expected a JSON object."}


class EventInSerializer(MetaInSerializer):
    """An event with everything on one level. Other fields are ignored."""

    payload = PayloadField(help_text="What happened: a JSON object of at most 256 KiB.")


class EnvelopeInSerializer(serializers.Serializer[Event]):
    """An event in the envelope that brokers carry."""

    payload = PayloadField(help_text="What happened: a JSON object of at most 256 KiB.")
    _meta = MetaInSerializer()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        twice = sorted(set(self.initial_data) & set(MetaInSerializer().fields))
        if twice:
            raise serializers.ValidationError({name: ["Give it in _meta only."] for name in twice})
        return {"payload": attrs["payload"], **attrs["_meta"]}


class MetaSerializer(serializers.Serializer[Event]):
    timestamp = serializers.DateTimeField()
    routing_key = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    event_id = serializers.UUIDField()


class RunSerializer(serializers.ModelSerializer[HandlerRun]):
    """One handler's work on an event."""

    class Meta:
        model = HandlerRun
        fields: tuple[str, ...] = (
            "id", "handler", "status", "attempts", "replays", "error", "due_at", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event in its envelope, with the results of its handlers."""

    payload = serializers.DictField()
    _meta = serializers.SerializerMethodField("envelope")
    is_known = serializers.BooleanField(help_text="Someone handles events of this routing key.")
    handlers = RunSerializer(many=True, source="runs")

    class Meta:
        model = Event
        fields = ("id", "payload", "_meta", "is_known", "created_at", "handlers")
        read_only_fields = fields

    @extend_schema_field(MetaSerializer)
    def envelope(self, event: Event) -> dict[str, Any]:
        return meta(event)


class EventReplayInSerializer(serializers.Serializer[Event]):
    handlers = serializers.ListField(
        child=StrictCharField(max_length=100),
        max_length=100,
        allow_empty=False,
        required=False,
        help_text="Which handlers to run, whatever their results; by default, dead letters and new ones.",
    )


class DeadLetterSerializer(RunSerializer):
    """A handler's run on an event that was given up."""

    event_id = serializers.UUIDField()
    routing_key = serializers.CharField(source="event.routing_key")
    source = serializers.CharField(source="event.source")  # type: ignore[assignment]

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "event_id", "routing_key", "source")
        read_only_fields = fields


class DeadLettersReplayInSerializer(SelectionSerializer):
    """Either ``ids`` or one or more of the other filters, which work as in the list."""

    handler = StrictCharField(max_length=100, required=False)
    routing_key = StrictCharField(max_length=topics.MAX_LENGTH, required=False)
    event = StrictUUIDField(required=False)


class EventsReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Handlers that are due again now.")
