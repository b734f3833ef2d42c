"""Timelines and notes, as the API takes and shows them."""

from datetime import UTC

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.rest.fields import StrictCharField
from escalation.models import Entry
from escalation.timelines.entries import NOTE_MAX_LENGTH
from escalation.timelines.lines import Fact, Line, Timeline


class LineSerializer(serializers.Serializer[Line]):
    """One thing that happened."""

    at = serializers.DateTimeField()
    after_s = serializers.FloatField(help_text="Seconds since the start.")
    kind = serializers.CharField(
        help_text="`started`, `alert`, `message`, `acknowledged`, `resumed`, `snoozed`, `silenced`,"
        " `flapping`, `stormed`, `note`, `over`, `stopped`, `resolved` or `ended`."
    )
    text = serializers.CharField()
    details = serializers.CharField(help_text="Somebody's own words, such as those of a note.")
    by = serializers.CharField()
    via = serializers.CharField()
    channel = serializers.CharField(help_text="Of a message.")


class FactSerializer(serializers.Serializer[Fact]):
    name = serializers.CharField()
    value = serializers.SerializerMethodField()

    @extend_schema_field(str)
    def get_value(self, fact: Fact) -> str:
        value = fact.value
        return value if isinstance(value, str) else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


class TimelineSerializer(serializers.Serializer[Timeline]):
    """What happened, from the start to the end."""

    title = serializers.CharField()
    facts = FactSerializer(many=True)
    lines = LineSerializer(many=True, help_text="The first 1000, in order.")
    left_out = serializers.IntegerField(help_text="At least so many later lines are left out.")


class NoteInSerializer(serializers.Serializer[Entry]):
    text = StrictCharField(max_length=NOTE_MAX_LENGTH)


class NoteSerializer(serializers.ModelSerializer[Entry]):
    """What somebody noted."""

    class Meta:
        model = Entry
        fields = ("id", "at", "by", "via", "text")
        read_only_fields = fields
