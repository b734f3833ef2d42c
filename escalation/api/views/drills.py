"""Drills: staff start them, and whoever sees the schedule sees what came of them."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.throttles import Acts
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from config.zones import zone_of
from escalation.api.drill_serializers import DrillInSerializer, DrillSerializer, ReportSerializer
from escalation.api.views.base import page_of
from escalation.api.views.schedules import TAG, ScheduleBaseView
from escalation.drills import starting
from escalation.drills.reporting import markdown_response, report_of
from escalation.models import Drill

MARKDOWN: dict[Any, Any] = {
    (200, "text/markdown"): OpenApiResponse(OpenApiTypes.STR, description="Who answered, and who didn't."),
    **errors(403, 404),
}


class _DrillsBaseView(ScheduleBaseView):
    serializer_class = DrillSerializer

    def drills(self) -> QuerySet[Drill]:
        found = Drill.objects.filter(schedule=self.get_object())
        return found.select_related("started_by", "schedule")

    def drill(self) -> Drill:
        return get_object_or_404(self.drills(), pk=self.kwargs["drill_id"])


@extend_schema(tags=[TAG])
class DrillStartView(_DrillsBaseView):
    throttle_classes = [Acts]

    @extend_schema(
        operation_id="schedules_drill",
        request=DrillInSerializer,
        responses={
            201: OpenApiResponse(ReportSerializer, description="They are rung."),
            200: OpenApiResponse(ReportSerializer, description="A drill of this schedule is under way."),
            **errors(*BODY, 403, 404, 409, 429),
        },
        examples=[OpenApiExample("everybody", value={"everyone": True, "minutes": 15}, request_only=True)],
    )
    def post(self, request: Request, **ids: UUID) -> Response:
        """Ring whoever is on call now for a test, by their real ways; 409 if nobody is.

        Whoever starts it is told who answered after how long, once all have or their time is over.
        """
        schedule = self.get_object()
        given = validated(DrillInSerializer(data=request.data))
        drill, is_new = starting.drill_start(schedule=schedule, by=self.person, now=clock.now(), **given)
        return stored(ReportSerializer(report_of(drill)).data, is_new=is_new)


@extend_schema(tags=[TAG])
class DrillsView(_DrillsBaseView):
    @extend_schema(operation_id="schedules_drills", responses=page_of(DrillSerializer, 404))
    def get(self, request: Request, **ids: UUID) -> Response:
        """List the drills of a schedule, newest first."""
        return self.listed(self.drills())


@extend_schema(tags=[TAG])
class DrillView(_DrillsBaseView):
    @extend_schema(
        operation_id="schedules_drill_report", responses={200: ReportSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, **ids: UUID) -> Response:
        """Show who answered after how long and by which way, and who has not."""
        return Response(ReportSerializer(report_of(self.drill())).data)


@extend_schema(tags=[TAG])
class DrillMarkdownView(_DrillsBaseView):
    @extend_schema(operation_id="schedules_drill_markdown", responses=MARKDOWN)
    def get(self, request: Request, **ids: UUID) -> HttpResponse:
        """The same as Markdown, ready to paste."""
        own = getattr(request.user, "time_zone", "UTC")
        return markdown_response(report_of(self.drill()), zone_of(own))
