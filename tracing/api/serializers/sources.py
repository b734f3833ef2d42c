"""What a backward search is asked, in the query of a URL."""

from typing import Any

from rest_framework import serializers

from tracing.api.serializers.fields import PlainFloatField, PlainIntegerField
from tracing.models.filter import DISTANCE_MAX_M, ROUNDS_MAX, TIME_MAX_S


class SourcesInSerializer(serializers.Serializer[Any]):
    rounds = PlainIntegerField(min_value=1, max_value=ROUNDS_MAX, default=1)
    time_min_s = PlainIntegerField(min_value=0, max_value=TIME_MAX_S, default=900)
    distance_max_m = PlainFloatField(min_value=0, max_value=DISTANCE_MAX_M, default=None)


class WhatIfInSerializer(serializers.Serializer[Any]):
    cases = PlainIntegerField(min_value=1, max_value=500, default=20)
