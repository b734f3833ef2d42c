"""Filters: who counts as exposed, and what they are told."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated, validated_query
from tracing.api.serializers.filters import (
    FilterChangeSerializer,
    FilterDetailSerializer,
    FilterInSerializer,
    FilterSerializer,
    WhatIfInSerializer,
    WhatIfSerializer,
)
from tracing.filter_preview import CASES_MAX, what_if
from tracing.models import Filter
from tracing.services.filters import filter_change, filter_create

EXAMPLE = {
    "name": "close contacts",
    "is_active": True,
    "status": 2,
    "time_min_s": 900,
    "distance_max_m": 2.0,
    "rounds": 2,
    "language": "en",
    "content": {
        "en": {
            "title": "You were near somebody who is infected",
            "shortDescription": "Please stay at home and have yourself tested.",
            "description": "Your phone was near that of an infected person for a quarter of an hour.",
        }
    },
}


@extend_schema(tags=["tracing"])
class FiltersView(ListAPIView[Filter]):
    serializer_class = FilterSerializer
    filter_backends: list[Any] = []
    queryset = Filter.objects.all()

    @extend_schema(
        operation_id="tracing_filters_list", responses={200: FilterSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List all filters, newest first."""
        return self.list(request)

    @extend_schema(
        operation_id="tracing_filters_create",
        request=FilterInSerializer,
        responses={
            201: OpenApiResponse(FilterSerializer, description="Stored."),
            200: OpenApiResponse(FilterSerializer, description="The same filter already exists."),
            **errors(*BODY, 403, 409),
        },
        examples=[OpenApiExample("close contacts", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a filter. Repeating the request returns 200; the same name with other content, 409."""
        made, created = filter_create(**validated(FilterInSerializer(data=request.data)))
        return stored(FilterSerializer(made).data, is_new=created)


@extend_schema(tags=["tracing"])
class FilterView(GenericAPIView[Filter]):
    serializer_class = FilterDetailSerializer
    filter_backends: list[Any] = []

    @extend_schema(
        operation_id="tracing_filters_read", responses={200: FilterDetailSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, filter_id: UUID) -> Response:
        """One filter with all its versions."""
        return Response(FilterDetailSerializer(get_object_or_404(Filter, pk=filter_id)).data)

    @extend_schema(
        operation_id="tracing_filters_change",
        request=FilterChangeSerializer,
        responses={200: FilterDetailSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("activate", value={"is_active": True}, request_only=True)],
    )
    def patch(self, request: Request, filter_id: UUID) -> Response:
        """Change a filter. New criteria make a new version; cases keep the one they were searched with."""
        found = get_object_or_404(Filter, pk=filter_id)
        changed = filter_change(filter=found, **validated(FilterChangeSerializer(data=request.data)))
        return Response(FilterDetailSerializer(changed).data)


@extend_schema(tags=["tracing"])
class WhatIfView(GenericAPIView[Filter]):
    serializer_class = WhatIfSerializer
    filter_backends: list[Any] = []
    pagination_class = None

    @extend_schema(
        operation_id="tracing_filters_what_if",
        parameters=[
            OpenApiParameter(
                "cases", OpenApiTypes.INT, description=f"How many, up to {CASES_MAX}; 20 by default."
            )
        ],
        responses={200: WhatIfSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, filter_id: UUID) -> Response:
        """Count how many this filter would have told in the last cases. Writes nothing."""
        given = validated_query(request, WhatIfInSerializer)
        found = get_object_or_404(Filter, pk=filter_id)
        result = what_if(found, now=clock.now(), **given)
        degrees = [{"degree": degree, "told": told} for degree, told in result.by_degree.items()]
        answer = {"cases": result.cases, "told": result.told, "by_degree": degrees}
        return Response(WhatIfSerializer(answer).data)
