"""Holes: of one schedule, and all that somebody sees."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.openapi import errors
from escalation.api.hole_serializers import HolesSerializer
from escalation.api.views.schedules import TAG, ScheduleBaseView
from escalation.holes.finding import AHEAD
from escalation.holes.reading import OfOne, holes_of_schedules, holes_seen_by


@extend_schema(tags=[TAG])
class HolesView(ScheduleBaseView):
    @extend_schema(operation_id="schedules_holes", responses={200: HolesSerializer, **errors(403, 404)})
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Show when nobody is on call in the next 28 days, or somebody whom nothing reaches."""
        now = clock.now()
        return _shown(holes_of_schedules([self.get_object()], now=now), now)


@extend_schema(tags=[TAG])
class AllHolesView(ScheduleBaseView):
    @extend_schema(operation_id="schedules_holes_of_all", responses={200: HolesSerializer, **errors(403)})
    def get(self, request: Request) -> Response:
        """Show the same of all schedules that you see; to staff and keys also steps that reach nobody."""
        now = clock.now()
        return _shown(holes_seen_by(request.user, now=now), now)


def _shown(found: Iterable[OfOne], now: datetime) -> Response:
    holes = [hole for each in found for hole in each.shown()]
    return Response(HolesSerializer({"at": now, "until": now + AHEAD, "holes": holes}).data)
