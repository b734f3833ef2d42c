"""Asking others to stand in: for people, each for themselves."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.throttles import Acts
from accounts.models import User
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.cover_serializers import CoverInSerializer, CoverSerializer
from escalation.api.views.base import page_of
from escalation.api.views.schedules import TAG, ScheduleBaseView
from escalation.models import CoverRequest
from escalation.services import covers as services

EXAMPLE = OpenApiExample(
    "a night off",
    value={
        "starts_at": "2026-02-02T19:00:00Z",
        "ends_at": "2026-02-03T07:00:00Z",
        "note": "I am ill tonight.",
    },
    request_only=True,
)
ANSWER: dict[Any, Any] = {200: CoverSerializer, **errors(403, 404, 409, 429)}


class _CoversBaseView(ScheduleBaseView):
    serializer_class = CoverSerializer
    throttle_classes = [Acts]

    def covers(self) -> QuerySet[CoverRequest]:
        found = CoverRequest.objects.filter(schedule=self.get_object())
        return found.select_related("asked_by", "schedule")

    def cover(self) -> CoverRequest:
        return get_object_or_404(self.covers(), pk=self.kwargs["cover_id"])

    @property
    def person(self) -> User:
        return cast("User", self.request.user)

    def shown(self, cover: CoverRequest) -> Response:
        return Response(CoverSerializer(cover).data)


@extend_schema(tags=[TAG])
class CoversView(_CoversBaseView):
    @extend_schema(operation_id="schedules_covers", responses=page_of(CoverSerializer, 404))
    def get(self, request: Request, **ids: UUID) -> Response:
        """List who asked whom to stand in, newest first."""
        return self.listed(self.covers())

    @extend_schema(
        operation_id="schedules_cover_ask",
        request=CoverInSerializer,
        responses={
            201: OpenApiResponse(CoverSerializer, description="They have been asked."),
            200: OpenApiResponse(CoverSerializer, description="They had been asked already."),
            **errors(*BODY, 403, 404, 409, 429),
        },
        examples=[EXAMPLE],
    )
    def post(self, request: Request, **ids: UUID) -> Response:
        """Ask somebody, or everybody else in the schedule, to stand in for you; or to swap with you.

        Nothing changes until somebody accepts.
        """
        schedule = self.get_object()
        given = validated(CoverInSerializer(data=request.data))
        cover, is_new = services.cover_ask(schedule=schedule, by=self.person, now=clock.now(), **given)
        return stored(CoverSerializer(cover).data, is_new=is_new)


@extend_schema(tags=[TAG])
class CoverAcceptView(_CoversBaseView):
    @extend_schema(operation_id="schedules_cover_accept", request=None, responses=ANSWER)
    def post(self, request: Request, **ids: UUID) -> Response:
        """Stand in; who is on call changes with it. 409: somebody else was faster, or it is over."""
        return self.shown(services.cover_accept(request=self.cover(), by=self.person, now=clock.now()))


@extend_schema(tags=[TAG])
class CoverDeclineView(_CoversBaseView):
    @extend_schema(operation_id="schedules_cover_decline", request=None, responses=ANSWER)
    def post(self, request: Request, **ids: UUID) -> Response:
        """Say no, if you alone were asked."""
        return self.shown(services.cover_decline(request=self.cover(), by=self.person, now=clock.now()))


@extend_schema(tags=[TAG])
class CoverWithdrawView(_CoversBaseView):
    @extend_schema(operation_id="schedules_cover_withdraw", request=None, responses=ANSWER)
    def post(self, request: Request, **ids: UUID) -> Response:
        """Take back what you have asked."""
        return self.shown(services.cover_withdraw(request=self.cover(), by=self.person, now=clock.now()))
