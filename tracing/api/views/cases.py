"""Cases, and why each device counts as exposed. Whoever reads them is noted."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.openapi import errors
from tracing import selectors
from tracing.api.filters import CaseFilter, ExposureFilter
from tracing.api.readings import log
from tracing.api.serializers.cases import CaseDetailSerializer, CaseSerializer, ExposureSerializer
from tracing.models import Case, CaseReading, Exposure

EXPOSURES_SHOWN = 1000


def _context(case: Case) -> dict[str, Any]:
    return {"vias": selectors.vias_of(case), "case_device": case.device_id}


@extend_schema(tags=["tracing"])
class CasesView(GenericAPIView[Case]):
    serializer_class = CaseSerializer
    filterset_class = CaseFilter
    queryset = selectors.cases()

    @extend_schema(
        operation_id="tracing_cases_list", responses={200: CaseSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List cases, newest first. Reading them is logged."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        log(request, CaseReading.What.LIST)
        return self.get_paginated_response(CaseSerializer(page, many=True).data)


@extend_schema(tags=["tracing"])
class CaseView(GenericAPIView[Case]):
    serializer_class = CaseDetailSerializer
    filter_backends: list[Any] = []

    @extend_schema(
        operation_id="tracing_cases_read", responses={200: CaseDetailSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, case_id: UUID) -> Response:
        """One case: its searches, and for each device the path, degree, onset, seconds and distance."""
        case = get_object_or_404(selectors.with_searches(selectors.cases()), pk=case_id)
        log(request, CaseReading.What.CASE, case_id=case_id, device_id=case.device_id)
        found: Any = case
        found.by_degree = selectors.exposures_by_degree(case)
        found.notices = selectors.notices_by_status(case)
        found.first_exposures = list(selectors.exposures_of(case)[:EXPOSURES_SHOWN])
        answer = CaseDetailSerializer(found, context=_context(case))
        return Response(answer.data)


@extend_schema(tags=["tracing"])
class ExposuresView(GenericAPIView[Exposure]):
    serializer_class = ExposureSerializer
    filterset_class = ExposureFilter
    ordering = ("degree", "onset", "id")
    queryset = Exposure.objects.none()

    @extend_schema(
        operation_id="tracing_exposures_list",
        responses={200: ExposureSerializer(many=True), **errors(400, 403, 404)},
    )
    def get(self, request: Request, case_id: UUID) -> Response:
        """List the devices that a case exposed, nearest degree first."""
        case = get_object_or_404(Case, pk=case_id)
        page = self.paginate_queryset(self.filter_queryset(selectors.exposures_of(case)))
        log(request, CaseReading.What.CASE, case_id=case_id, device_id=case.device_id)
        return self.get_paginated_response(ExposureSerializer(page, many=True, context=_context(case)).data)
