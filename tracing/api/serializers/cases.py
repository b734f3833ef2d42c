"""Cases, and the explanation of each exposure."""

from typing import Any

from rest_framework import serializers

from tracing import selectors
from tracing.api.serializers.fields import PlainFloatField, PlainIntegerField
from tracing.models import Case, CaseSearch, Exposure
from tracing.models.filter import DISTANCE_MAX_M, ROUNDS_MAX, TIME_MAX_S
from tracing.search import Reached


class CaseSerializer(serializers.ModelSerializer[Case]):
    device_id = serializers.IntegerField()
    exposed = serializers.IntegerField(help_text="Devices that were exposed, by any filter.")

    class Meta:
        model = Case
        fields: tuple[str, ...] = ("id", "device_id", "state", "since", "opened_at", "closed_at", "exposed")
        read_only_fields = fields


class FilterNameSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="filter_id")
    name = serializers.CharField(source="filter.name")
    version = serializers.IntegerField(source="number")


class CaseSearchSerializer(serializers.ModelSerializer[CaseSearch]):
    filter = FilterNameSerializer(source="filter_version")
    searched_at = serializers.DateTimeField(allow_null=True, help_text="Null: not yet.")

    class Meta:
        model = CaseSearch
        fields = ("filter", "searched_at", "error")
        read_only_fields = fields


class ExposureSerializer(serializers.ModelSerializer[Exposure]):
    """One device, and how it is known: needs ``vias`` and ``case_device`` in its context."""

    device_id = serializers.IntegerField()
    filter = FilterNameSerializer(source="filter_version")
    path = serializers.SerializerMethodField(help_text="Devices from the case's own to this one.")
    seconds = serializers.IntegerField(help_text="Seconds of contact with the device before it in the path.")

    class Meta:
        model = Exposure
        fields = (
            "device_id", "filter", "degree", "path", "onset", "seconds", "distance_m", "found_at", "told_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_path(self, exposure: Exposure) -> list[int]:
        vias, own = self.context["vias"], self.context["case_device"]
        return selectors.path_to(vias, exposure.filter_id, exposure.device_id, own)


class DegreesSerializer(serializers.Serializer[Any]):
    filter = serializers.CharField(source="filter__name")
    degree = serializers.IntegerField()
    exposed = serializers.IntegerField()
    told = serializers.IntegerField(help_text="How many of them were told; the others have no address.")


class CaseDetailSerializer(CaseSerializer):
    """A case and the devices it exposed: the first 1,000, nearest first; the rest at ``…/exposures/``."""

    searches = CaseSearchSerializer(many=True)
    by_degree = DegreesSerializer(many=True)
    notices = serializers.DictField(child=serializers.IntegerField(), help_text="Deliveries by status.")
    exposures = ExposureSerializer(many=True, source="first_exposures")

    class Meta(CaseSerializer.Meta):
        fields = (*CaseSerializer.Meta.fields, "searches", "by_degree", "notices", "exposures")
        read_only_fields = fields


class SourcesInSerializer(serializers.Serializer[Any]):
    """What a backward search is asked, in the query of a URL."""

    rounds = PlainIntegerField(min_value=1, max_value=ROUNDS_MAX, default=1)
    time_min_s = PlainIntegerField(min_value=0, max_value=TIME_MAX_S, default=900)
    distance_max_m = PlainFloatField(min_value=0, max_value=DISTANCE_MAX_M, default=None)


class SourceSerializer(serializers.Serializer[Reached]):
    """A device that may have infected the one asked about."""

    device_id = serializers.IntegerField()
    degree = serializers.IntegerField()
    via_device_id = serializers.IntegerField(help_text="The next device on the way to the one asked about.")
    onset = serializers.DateTimeField(help_text="The last instant at which it can have infected that one.")
    seconds = serializers.IntegerField()
    distance_m = serializers.FloatField(allow_null=True)


class SourcesSerializer(serializers.Serializer[Any]):
    device_id = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    sources = SourceSerializer(many=True)
