"""Rotations: who takes turns, who stands in, who is on call, and the calendar of it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views.base import OpenView
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.filters import RotationFilter
from escalation.api.rotation_serializers import (
    MAX_SPAN,
    AtSerializer,
    OnCallSerializer,
    OverrideInSerializer,
    OverrideSerializer,
    RotationChangeSerializer,
    RotationInSerializer,
    RotationSerializer,
    ShiftsSerializer,
    SpanSerializer,
)
from escalation.api.views.base import REMOVED, ListedView, made, page_of
from escalation.models import Rotation, RotationOverride
from escalation.policies.words import name_of
from escalation.rotations import links, selectors
from escalation.rotations.calendar import FUTURE, MEDIA_TYPE, PAST, calendar_of
from escalation.rotations.turns import RotationShift, between, on_call
from escalation.services import rotations as services

EXAMPLE = {
    "name": "Nights",
    "kind": "weekly",
    "time_zone": "Europe/Paris",
    "starts_on": "2026-01-05",
    "handoff_at": "08:00",
    "members": ["0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e12"],
}
TAG = "on-call rotations"
CALENDAR: dict[Any, Any] = {
    (200, "text/calendar"): OpenApiResponse(
        OpenApiTypes.STR, description="From two weeks ago to 92 days ahead."
    ),
    **errors(403, 404),
}


class _Rotations(ListedView):
    """Staff change rotations, who takes turns in one may see it; so may machines that read escalations."""

    serializer_class: type[Any] = RotationSerializer
    queryset = Rotation.objects.none()
    lookup_url_kwarg = "rotation_id"

    def get_queryset(self) -> QuerySet[Rotation]:
        return selectors.rotations_visible_to(self.request.user)


@extend_schema(tags=[TAG])
class RotationsView(_Rotations):
    filterset_class = RotationFilter

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
        """Create a rotation; 409 if another one has the name."""
        given = validated(RotationInSerializer(data=request.data))
        rotation, created = services.rotation_create(**given)
        return self.answer_again(rotation.pk, is_new=created)


@extend_schema(tags=[TAG])
class RotationView(_Rotations):
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

    @extend_schema(operation_id="rotations_remove", responses=REMOVED)
    def delete(self, request: Request, rotation_id: UUID) -> Response:
        """Remove it; policies that name it no longer tell anyone through it."""
        services.rotation_remove(rotation=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=[TAG])
class OnCallView(_Rotations):
    @extend_schema(
        operation_id="rotations_on_call",
        parameters=[AtSerializer],
        responses={200: OnCallSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, rotation_id: UUID) -> Response:
        """Show who is on call at a time."""
        rotation = self.get_object()
        at = validated(AtSerializer(data=request.query_params)).get("at") or clock.now()
        shift = on_call(selectors.turns_of(rotation), at)
        shown = _shown(rotation, [shift] if shift else [])
        return Response(OnCallSerializer({"at": at, "on_call": shown[0] if shown else None}).data)


@extend_schema(tags=[TAG])
class ShiftsView(_Rotations):
    @extend_schema(
        operation_id="rotations_shifts",
        parameters=[SpanSerializer],
        responses={200: ShiftsSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request, rotation_id: UUID) -> Response:
        """Show who is on call from one time until another."""
        rotation = self.get_object()
        asked = validated(SpanSerializer(data=request.query_params))
        begin = asked.get("begin") or clock.now()
        end = asked.get("end") or begin + timedelta(weeks=4)
        if not timedelta(0) < end - begin <= MAX_SPAN:
            raise ValidationError(
                {"end": ["Expected a time after the beginning, and at most 92 days later."]}
            )
        shifts = between(selectors.turns_of(rotation), begin, end)
        return Response(
            ShiftsSerializer({"begin": begin, "end": end, "turns": _shown(rotation, shifts)}).data
        )


@extend_schema(tags=[TAG])
class OverridesView(_Rotations):
    serializer_class = OverrideSerializer

    @extend_schema(operation_id="rotations_overrides", responses=page_of(OverrideSerializer, 404))
    def get(self, request: Request, rotation_id: UUID) -> Response:
        """List who stands in or stood in, newest entry first."""
        overrides = RotationOverride.objects.filter(rotation=self.get_object())
        return self.listed(overrides.select_related("user"))

    @extend_schema(
        operation_id="rotations_override",
        request=OverrideInSerializer,
        responses={
            201: OpenApiResponse(OverrideSerializer, description="They stand in."),
            200: OpenApiResponse(OverrideSerializer, description="They already did."),
            **errors(*BODY, 403, 404),
        },
        examples=[
            OpenApiExample(
                "a day off",
                value={
                    "user_id": EXAMPLE["members"][1],
                    "starts_at": "2026-02-02T07:00:00Z",
                    "ends_at": "2026-02-03T07:00:00Z",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, rotation_id: UUID) -> Response:
        """Have somebody stand in, whether they take turns or not. Where two overlap, the newer one counts.

        Repeating the request returns 200 and the existing one.
        """
        rotation = self.get_object()
        given = validated(OverrideInSerializer(data=request.data))
        override, created = services.override_create(rotation=rotation, **given)
        return stored(OverrideSerializer(override).data, is_new=created)


@extend_schema(tags=[TAG])
class OverrideView(_Rotations):
    @extend_schema(operation_id="rotations_override_remove", responses=REMOVED)
    def delete(self, request: Request, rotation_id: UUID, override_id: UUID) -> Response:
        overrides = RotationOverride.objects.filter(rotation=self.get_object())
        services.override_remove(override=get_object_or_404(overrides, pk=override_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=[TAG])
class RenewLinkView(_Rotations):
    @extend_schema(
        operation_id="rotations_renew_link",
        request=None,
        responses={200: RotationSerializer, **errors(403, 404)},
    )
    def post(self, request: Request, rotation_id: UUID) -> Response:
        """Void the earlier calendar links; the answer has the new one."""
        services.rotation_renew_link(rotation=self.get_object())
        return self.answer_again(rotation_id)


@extend_schema(tags=[TAG])
class RotationCalendarView(_Rotations):
    @extend_schema(operation_id="rotations_calendar", responses=CALENDAR)
    def get(self, request: Request, rotation_id: UUID) -> HttpResponse:
        """Who is on call, as iCalendar; for programs that can't log in there is `calendar_url`."""
        return calendar_response(self.get_object())


class CalendarLinkView(OpenView):
    """The same for anyone who has the secret link."""

    def get(self, request: Request, token: str) -> HttpResponse:
        target = links.target_of(token)
        if target is None:
            raise Http404
        rotations = Rotation.objects.filter(pk=target.rotation_id, link_version=target.version)
        response = calendar_response(
            get_object_or_404(selectors.with_turns(rotations.filter(deleted_at=None)))
        )
        # The address is a key to this: it is told to nobody.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response


def calendar_response(rotation: Any) -> HttpResponse:
    """Answer with the calendar of a rotation that was read by ``with_turns``."""
    now = clock.now()
    people = selectors.members_by_id(rotation)
    calendar = calendar_of(
        rotation_id=rotation.pk,
        name=rotation.name,
        time_zone=rotation.time_zone,
        shifts=between(selectors.turns_of(rotation), now - PAST, now + FUTURE),
        names={pk: name_of(user) for pk, user in people.items()},
        now=now,
    )
    return HttpResponse(calendar, content_type=MEDIA_TYPE)


def _shown(rotation: Rotation, shifts: Iterable[RotationShift]) -> list[dict[str, Any]]:
    people = selectors.members_by_id(rotation)
    return [dict(shift._asdict(), name=name_of(people.get(shift.user_id))) for shift in shifts]
