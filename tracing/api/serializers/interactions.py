"""What an upload of records is made of, and what is answered."""

from rest_framework import serializers

from tracing.intake.checking import DEVICE_MAX, DISTANCE_MAX_M
from tracing.intake.records import RECORD_MIN_S


class InteractionSerializer(serializers.Serializer[None]):
    """One record, for the API's description; records are checked by column, in tracing.intake."""

    my_id = serializers.IntegerField(min_value=1, max_value=DEVICE_MAX, help_text="The device that saw.")
    other_id = serializers.IntegerField(
        min_value=1, max_value=DEVICE_MAX, help_text="The device that was seen."
    )
    timestamp_start = serializers.FloatField(help_text="Unix seconds; or a string, a time in ISO 8601.")
    timestamp_end = serializers.FloatField(
        required=False, help_text="The same; without it, the start and the interval count."
    )
    interval = serializers.FloatField(required=False, min_value=0, help_text="Seconds.")
    rssi = serializers.FloatField(required=False, min_value=-127, max_value=127, help_text="dBm.")
    distance = serializers.FloatField(min_value=0, max_value=DISTANCE_MAX_M, help_text="Metres.")
    platform = serializers.CharField(required=False)


class StoredSerializer(serializers.Serializer[None]):
    """How many records an upload held, how many of them were new, and how many were there before."""

    records = serializers.IntegerField()
    new = serializers.IntegerField()
    known = serializers.IntegerField()
    too_short = serializers.IntegerField(
        help_text=f"Of the records: shorter than {RECORD_MIN_S} s. They are kept, and never count as contact."
    )
    intervals_differ = serializers.IntegerField(
        help_text="Of the records: with an interval that the times contradict. The times count."
    )
