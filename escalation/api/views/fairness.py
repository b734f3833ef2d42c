"""How the time on call was shared: by one schedule, and by all that somebody sees."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.openapi import errors
from config.rest.views import validated_query
from escalation.api.fairness_serializers import SharedPeriodSerializer, SharesSerializer
from escalation.api.views.schedules import TAG, ScheduleBaseView
from escalation.figures.shares import shares_of


@extend_schema(tags=[TAG])
class FairnessView(ScheduleBaseView):
    @extend_schema(
        operation_id="schedules_fairness",
        parameters=[SharedPeriodSerializer],
        responses={200: SharesSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Show how the time on call was shared: hours, nights, weekends and pages, by person."""
        return _shared(request, [self.get_object()])


@extend_schema(tags=[TAG])
class AllFairnessView(ScheduleBaseView):
    @extend_schema(
        operation_id="schedules_fairness_of_all",
        parameters=[SharedPeriodSerializer],
        responses={200: SharesSerializer, **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """Show the same over all schedules that you see; time by several of them at once counts once."""
        return _shared(request, self.get_queryset())


def _shared(request: Request, schedules: Iterable[Any]) -> Response:
    period = validated_query(request, SharedPeriodSerializer)
    return Response(SharesSerializer(shares_of(schedules, **period)).data)
