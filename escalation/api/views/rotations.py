"""Rotations: the deprecated face of schedules of one layer that is always on call, with one person a turn."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.openapi import BODY, errors
from config.rest.views import validated
from escalation.api.filters import ScheduleFilter
from escalation.api.rotation_serializers import (
    OnCallSerializer,
    RotationChangeSerializer,
    RotationInSerializer,
    RotationSerializer,
    ShiftsSerializer,
)
from escalation.api.schedule_serializers import (
    AtSerializer,
    OverrideInSerializer,
    OverrideSerializer,
    SpanSerializer,
)
from escalation.api.views import schedules
from escalation.api.views.base import REMOVED, made, page_of
from escalation.models import Schedule
from escalation.policies.words import name_of
from escalation.schedules import selectors
from escalation.schedules.row import Duty
from escalation.services import rotations as services

EXAMPLE = {
    "name": "Nights",
    "kind": "weekly",
    "time_zone": "Europe/Paris",
    "starts_on": "2026-01-05",
    "handoff_at": "08:00",
    "members": schedules.PEOPLE,
}
TAG = "on-call rotations"


class RotationBaseView(schedules.ScheduleBaseView):
    """A schedule that is more than a rotation does not exist here."""

    serializer_class: type[Any] = RotationSerializer
    lookup_url_kwarg = "rotation_id"

    def get_queryset(self) -> QuerySet[Schedule]:
        return selectors.plain(super().get_queryset())


@extend_schema(tags=[TAG], deprecated=True)
class RotationsView(RotationBaseView):
    filterset_class = ScheduleFilter

    @extend_schema(operation_id="rotations_list", responses=page_of(RotationSerializer))
    def get(self, request: Request) -> Response:
        """List rotations, newest first: all for staff and machines, for others those they take turns in."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="rotations_create",
        request=RotationInSerializer,
        responses=made(RotationSerializer, "rotation"),
        examples=[OpenApiExample("weekly", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a schedule of one layer; 409 if another one has the name."""
        given = validated(RotationInSerializer(data=request.data))
        rotation, created = services.rotation_create(**given)
        return self.answer_again(rotation.pk, is_new=created)


@extend_schema(tags=[TAG], deprecated=True)
@extend_schema_view(delete=extend_schema(operation_id="rotations_remove", responses=REMOVED))
class RotationView(RotationBaseView, schedules.ScheduleView):
    @extend_schema(operation_id="rotations_read", responses={200: RotationSerializer, **errors(403, 404)})
    def get(self, request: Request, rotation_id: UUID) -> Response:
        return self.answer_again(rotation_id)

    @extend_schema(
        operation_id="rotations_change",
        request=RotationChangeSerializer,
        responses={200: RotationSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("an hour later", value={"handoff_at": "09:00"}, request_only=True)],
    )
    def patch(self, request: Request, rotation_id: UUID) -> Response:
        """Change the given fields. All shifts, past ones too, are then as if it had always been so."""
        rotation = self.get_object()
        given = validated(RotationChangeSerializer(rotation, data=request.data))
        services.rotation_update(rotation=rotation, **given)
        return self.answer_again(rotation_id)


@extend_schema(tags=[TAG], deprecated=True)
class RotationOnCallView(RotationBaseView):
    @extend_schema(
        operation_id="rotations_on_call",
        parameters=[AtSerializer],
        responses={200: OnCallSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, rotation_id: UUID) -> Response:
        """Show who is on call at a time."""
        rotation = self.get_object()
        at, duty = schedules.on_call_asked(request, rotation)
        return Response(
            OnCallSerializer({"at": at, "on_call": _shown(rotation, duty) if duty else None}).data
        )


@extend_schema(tags=[TAG], deprecated=True)
class ShiftsView(RotationBaseView):
    @extend_schema(
        operation_id="rotations_shifts",
        parameters=[SpanSerializer],
        responses={200: ShiftsSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, rotation_id: UUID) -> Response:
        """Show who is on call from one time until another."""
        rotation = self.get_object()
        begin, end, row = schedules.row_asked(request, rotation)
        turns = [_shown(rotation, duty) for duty in row]
        return Response(ShiftsSerializer({"begin": begin, "end": end, "turns": turns}).data)


@extend_schema(tags=[TAG], deprecated=True)
@extend_schema_view(
    get=extend_schema(operation_id="rotations_overrides", responses=page_of(OverrideSerializer, 404)),
    post=extend_schema(
        operation_id="rotations_override",
        request=OverrideInSerializer,
        responses=schedules.STANDS_IN,
        examples=[schedules.DAY_OFF],
    ),
)
class RotationOverridesView(RotationBaseView, schedules.OverridesView):
    serializer_class = OverrideSerializer


@extend_schema(tags=[TAG], deprecated=True)
@extend_schema_view(delete=extend_schema(operation_id="rotations_override_remove", responses=REMOVED))
class RotationOverrideView(RotationBaseView, schedules.OverrideView):
    pass


@extend_schema(tags=[TAG], deprecated=True)
@extend_schema_view(
    post=extend_schema(
        operation_id="rotations_renew_link",
        request=None,
        responses={200: RotationSerializer, **errors(403, 404)},
    )
)
class RotationRenewLinkView(RotationBaseView, schedules.RenewLinkView):
    pass


@extend_schema(tags=[TAG], deprecated=True)
@extend_schema_view(get=extend_schema(operation_id="rotations_calendar", responses=schedules.CALENDAR))
class RotationCalendarView(RotationBaseView, schedules.ScheduleCalendarView):
    pass


def _shown(rotation: Schedule, duty: Duty) -> dict[str, Any]:
    (user_id,) = duty.user_ids
    name = name_of(selectors.people_by_id(rotation).get(user_id))
    return {**duty._asdict(), "user_id": user_id, "name": name, "stands_in": duty.override is not None}
