"""Filters and their versions."""

from typing import Any

from rest_framework import serializers

from config.rest.fields import StrictBooleanField, StrictCharField, StrictIntegerField
from tracing.api.serializers.fields import ContentField, PlainIntegerField, StrictFloatField
from tracing.filter_preview import CASES_MAX
from tracing.models import Filter, FilterVersion
from tracing.models.filter import DISTANCE_MAX_M, LANGUAGE_MAX, ROUNDS_MAX, TIME_MAX_S


class CriteriaSerializer(serializers.Serializer[Any]):
    status = StrictIntegerField(
        min_value=0, max_value=6, required=False, help_text="The text that exposed devices get."
    )
    time_min_s = StrictIntegerField(min_value=0, max_value=TIME_MAX_S, required=False)
    time_max_s = StrictIntegerField(min_value=0, max_value=TIME_MAX_S, allow_null=True, required=False)
    distance_min_m = StrictFloatField(min_value=0, max_value=DISTANCE_MAX_M, required=False)
    distance_max_m = StrictFloatField(min_value=0, max_value=DISTANCE_MAX_M, allow_null=True, required=False)
    rounds = StrictIntegerField(min_value=1, max_value=ROUNDS_MAX, required=False, help_text="Degrees.")
    language = StrictCharField(min_length=2, max_length=LANGUAGE_MAX, required=False)
    content = ContentField(required=False)


class FilterChangeSerializer(CriteriaSerializer):
    """Fields you leave out stay as they are. New criteria make a new version; open cases keep theirs."""

    name = StrictCharField(max_length=100, required=False)
    is_active = StrictBooleanField(required=False)


class FilterInSerializer(FilterChangeSerializer):
    """A new filter; inactive by default."""

    name = StrictCharField(max_length=100)
    content = ContentField()


class FilterSerializer(serializers.ModelSerializer[Filter]):
    content = ContentField()

    class Meta:
        model = Filter
        fields = ("id", "name", "is_active", "version", *Filter.CRITERIA, "created_at")
        read_only_fields = fields


class FilterVersionSerializer(serializers.ModelSerializer[FilterVersion]):
    content = ContentField()

    class Meta:
        model = FilterVersion
        fields = ("number", *FilterVersion.CRITERIA, "created_at")
        read_only_fields = fields


class FilterDetailSerializer(FilterSerializer):
    """A filter with all its versions, newest first."""

    versions = FilterVersionSerializer(many=True)

    class Meta(FilterSerializer.Meta):
        fields = (*FilterSerializer.Meta.fields, "versions")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class DegreeCountSerializer(serializers.Serializer[Any]):
    degree = serializers.IntegerField()
    told = serializers.IntegerField(allow_null=True, help_text="Null: too few to be shown.")


class WhatIfInSerializer(serializers.Serializer[Any]):
    cases = PlainIntegerField(min_value=1, max_value=CASES_MAX, default=20)


class WhatIfSerializer(serializers.Serializer[Any]):
    """How many would have been told; nothing was written."""

    cases = serializers.IntegerField(help_text="Cases that were looked at.")
    told = serializers.IntegerField(allow_null=True, help_text="Exposures; null: too few to be shown.")
    by_degree = DegreeCountSerializer(many=True)
