"""The bare view: checks the fields that an alert has, inserts one row, answers with it."""

from datetime import UTC, datetime

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


urlpatterns = [path("alerts/", BareAlertView.as_view())]
