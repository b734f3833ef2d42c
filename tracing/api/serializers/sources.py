"""What a backward search is asked, in the query of a URL."""

from typing import Any

from rest_framework import serializers

from tracing.models.filter import DISTANCE_MAX_M, ROUNDS_MAX, TIME_MAX_S


class SourcesInSerializer(serializers.Serializer[Any]):
    rounds = serializers.IntegerField(min_value=1, max_value=ROUNDS_MAX, default=1)
    time_min_s = serializers.IntegerField(min_value=0, max_value=TIME_MAX_S, default=900)
    distance_max_m = serializers.FloatField(min_value=0, max_value=DISTANCE_MAX_M, default=None)


class WhatIfInSerializer(serializers.Serializer[Any]):
    cases = serializers.IntegerField(min_value=1, max_value=500, default=20)
