"""Devices: how they are told, and from whom they may have it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated, validated_query
from tracing import selectors
from tracing.api.readings import log
from tracing.api.serializers.cases import SourcesInSerializer, SourcesSerializer
from tracing.api.serializers.marks import DeviceInSerializer, DeviceSerializer, DeviceSetSerializer
from tracing.intake.checking import DEVICE_MAX
from tracing.models import CaseReading, Device
from tracing.search import Seed, search
from tracing.services.devices import device_set

DEVICE_ID = OpenApiParameter(
    "device_id",
    {"type": "integer", "minimum": 1, "maximum": DEVICE_MAX},
    OpenApiParameter.PATH,
    description="The device's number.",
)


@extend_schema(tags=["tracing"], parameters=[DEVICE_ID])
class DeviceView(GenericAPIView[Device]):
    serializer_class = DeviceSerializer
    filter_backends: list[Any] = []
    # For the answer to OPTIONS, which looks for what a PUT would change.
    queryset = Device.objects.all()
    lookup_url_kwarg = "device_id"

    @extend_schema(operation_id="tracing_devices_read", responses={200: DeviceSerializer, **errors(403, 404)})
    def get(self, request: Request, device_id: int) -> Response:
        """One device, without its push token. Reading its status is logged."""
        device = get_object_or_404(Device, pk=device_id)
        log(request, CaseReading.What.DEVICE, device_id=device_id)
        return Response(DeviceSerializer(device).data)

    @extend_schema(
        operation_id="tracing_devices_set",
        request=DeviceInSerializer,
        responses={
            200: OpenApiResponse(DeviceSetSerializer, description="It was known before, and is updated."),
            201: OpenApiResponse(DeviceSetSerializer, description="It was not known before."),
            **errors(*BODY, 403, 404),
        },
        examples=[
            OpenApiExample(
                "a phone",
                value={"push_token": "fcm-token", "platform": "android", "language": "fr"},
                request_only=True,
            )
        ],
    )
    def put(self, request: Request, device_id: int) -> Response:
        """Set how a device is told. It is now told of open cases that could not reach it before.

        Its status is not in the answer: that takes `tracing:read`.
        """
        if not 0 < device_id <= DEVICE_MAX:
            raise NotFound
        said = validated(DeviceInSerializer(data=request.data))
        device, created = device_set(device_id=device_id, now=clock.now(), **said)
        return stored(DeviceSetSerializer(device).data, is_new=created)


@extend_schema(tags=["tracing"], parameters=[DEVICE_ID])
class SourcesView(GenericAPIView[Device]):
    serializer_class = SourcesSerializer
    filter_backends: list[Any] = []
    pagination_class = None

    @extend_schema(
        operation_id="tracing_devices_sources",
        parameters=[
            OpenApiParameter("rounds", OpenApiTypes.INT, description="Degrees, 1 to 5; 1 by default."),
            OpenApiParameter(
                "time_min_s", OpenApiTypes.INT, description="Least contact in seconds; 900 by default."
            ),
            OpenApiParameter("distance_max_m", OpenApiTypes.FLOAT, description="Farthest record, in metres."),
        ],
        responses={200: SourcesSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, device_id: int) -> Response:
        """List who may have infected this device, nearest first: a search backwards in time. It is logged."""
        given = validated_query(request, SourcesInSerializer)
        if not 0 < device_id <= DEVICE_MAX or not (
            Device.objects.filter(pk=device_id).exists() or selectors.device_is_seen(device_id)
        ):
            raise NotFound
        until = clock.now()
        since = until - timedelta(days=settings.TRACING_RETENTION_DAYS)
        seed = Seed(case=0, device_id=device_id, since=since, **given)
        found = search([seed], backward=True)[0]
        log(request, CaseReading.What.SOURCES, device_id=device_id)
        answer = {"device_id": device_id, "since": since, "until": until, "sources": found}
        return Response(SourcesSerializer(answer).data)
