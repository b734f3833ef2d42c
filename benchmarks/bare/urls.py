"""The bare view: checks the fields that an alert has, inserts one row, answers with it."""

import importlib
import json
import os
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.urls import path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.bare.models import BareAlert


class BareAlertSerializer(serializers.Serializer):
    url = serializers.URLField(max_length=2048)
    location = serializers.CharField(max_length=200)
    alert_uuid = serializers.UUIDField()
    label = serializers.ChoiceField(["theft", "suspicious", "normal"])
    time_spotted = serializers.FloatField(min_value=0, max_value=4_102_444_800)


class BareAlertView(APIView):
    def post(self, request: Request) -> Response:
        serializer = BareAlertSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        spotted = datetime.fromtimestamp(fields["time_spotted"], UTC)
        BareAlert.objects.create(**{**fields, "time_spotted": spotted})
        return Response(serializer.data, status=status.HTTP_201_CREATED)


class ToldView(BareAlertView):
    """`dramatiq-alert`: also sends one message, of which a worker posts the alert to the shop's people."""

    def post(self, request: Request) -> Response:
        response = super().post(request)
        alert = response.data
        body = json.dumps({"type": "alert", "timestamp": time.time(), "data": alert})
        actors().tell.send(people()[alert["location"]], body)
        return response


@cache
def actors() -> Any:
    """The actors, which connect to the Redis that the environment names as soon as they are imported."""
    return importlib.import_module("benchmarks.baselines.dramatiq_actors")


@cache
def people() -> dict[str, list[str]]:
    """Addresses of the people of each shop."""
    found: dict[str, list[str]] = json.loads(Path(os.environ["BENCHMARK_PEOPLE"]).read_text())
    return found


urlpatterns = [path("alerts/", BareAlertView.as_view()), path("alerts/told/", ToldView.as_view())]
