"""Marking devices."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey, User
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from tracing.api.serializers.marks import StatusInSerializer, StatusSerializer
from tracing.api.throttles import Marks
from tracing.services.statuses import status_mark


@extend_schema(tags=["tracing"])
class StatusesView(GenericAPIView[Any]):
    throttle_classes = [Marks]
    serializer_class = StatusSerializer

    @extend_schema(
        operation_id="tracing_statuses_create",
        request=StatusInSerializer,
        responses={
            201: OpenApiResponse(StatusSerializer, description="Stored; infected: a case is open."),
            200: OpenApiResponse(StatusSerializer, description="It already was."),
            **errors(*BODY, 403, 409, 429),
        },
        examples=[OpenApiExample("infected", value={"device_id": 1696, "status": 1}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Mark a device, known or not. 1 opens a case and searches at once; 3 closes the case, if it is open,
        and tells the device.

        All other statuses are only stored. 409: infected, for a device that has to be suspect first.
        """
        marked = status_mark(
            **validated(StatusInSerializer(data=request.data)),
            now=clock.now(),
            api_key=request.auth if isinstance(request.auth, ApiKey) else None,
            user=request.user if isinstance(request.user, User) else None,
        )
        return stored(StatusSerializer(marked).data, is_new=marked.is_new)
