"""Figures, as the API shows them."""

from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.validators import validate_time_zone
from config import clock
from config.rest.fields import StrictCharField, TimeField
from escalation.figures.reading import LONGEST, SOURCES, USUAL, Figures, Noise, Spread, Sums


class PeriodSerializer(serializers.Serializer[Any]):
    since = TimeField(first_year=2000, required=False, help_text="30 days before `until` by default.")
    until = TimeField(first_year=2000, required=False, help_text="Now by default; at most 366 days later.")
    time_zone = StrictCharField(
        max_length=64,
        required=False,
        validators=[validate_time_zone],
        help_text="Of the hours of the week; your own by default, UTC for keys.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        until: datetime = given.get("until") or clock.now()
        since: datetime = given.get("since") or until - USUAL
        if not since < until <= since + LONGEST:
            raise serializers.ValidationError(
                {"until": [f"Expected a time within {LONGEST.days} days of since."]}
            )
        return {**given, "since": since, "until": until}


class SpreadSerializer(serializers.Serializer[Spread]):
    mean_s = serializers.FloatField()
    median_s = serializers.FloatField()
    p90_s = serializers.FloatField(help_text="Nine of ten took no longer.")


class SumsSerializer(serializers.Serializer[Sums]):
    """What came of alert groups of which people were told, and of escalations that tell of none."""

    incidents = serializers.IntegerField()
    acknowledged = serializers.IntegerField()
    over = serializers.IntegerField(help_text="Over before anybody acknowledged them.")
    unanswered = serializers.IntegerField(help_text="Nobody acknowledged them, though everything was sent.")
    open = serializers.IntegerField(help_text="Neither yet.")
    to_acknowledge = SpreadSerializer(allow_null=True, help_text="Of those that were acknowledged.")
    resolved = serializers.IntegerField(help_text="Resolved or stopped.")
    to_resolve = SpreadSerializer(allow_null=True, help_text="Of those that were resolved.")


class NamedSumsSerializer(SumsSerializer):
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()


class SourceSumsSerializer(NamedSumsSerializer):
    source = serializers.ChoiceField(choices=list(SOURCES))  # type: ignore[assignment]


class HourSumsSerializer(SumsSerializer):
    weekday = serializers.CharField()
    hour = serializers.IntegerField()


class NoiseSerializer(serializers.Serializer[Noise]):
    """What a source, or one key of it, brought, and whom it disturbed."""

    source = serializers.ChoiceField(choices=list(SOURCES))  # type: ignore[assignment]
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField()
    key = serializers.CharField(help_text="Empty for a whole source.")
    title = serializers.CharField()
    incidents = serializers.IntegerField()
    occurrences = serializers.IntegerField()
    pages = serializers.IntegerField(help_text="Messages sent to people, without those in inboxes.")
    pages_at_night = serializers.IntegerField(help_text="From 22:00 to 7:00 in that person's time zone.")
    acknowledged_soon = serializers.IntegerField(help_text="Within five minutes.")
    over_soon = serializers.IntegerField(
        help_text="Resolved by their source within five minutes, with nobody doing anything."
    )


class FiguresSerializer(serializers.Serializer[Figures]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    time_zone = serializers.CharField()
    is_cut = serializers.BooleanField(
        help_text="Only the newest 100,000 groups, or escalations, are counted."
    )
    total = SumsSerializer()
    policies = NamedSumsSerializer(many=True)
    sources = SourceSumsSerializer(many=True)
    shops = NamedSumsSerializer(many=True)
    hours = HourSumsSerializer(many=True, help_text="Those in which something began, from Monday on.")
    noisy_sources = NoiseSerializer(many=True, help_text="The 20 that page most at night, then by day.")
    noisy_keys = NoiseSerializer(many=True, help_text="The same, key by key.")
