"""Alert groups: what is wrong now, who takes care of it, and what is silenced."""

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config import clock
from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from escalation.api.filters import GroupFilter, SilenceFilter
from escalation.api.group_serializers import (
    GroupDetailSerializer,
    GroupSerializer,
    SilenceInSerializer,
    SilenceSerializer,
    SnoozeSerializer,
)
from escalation.api.views.base import ListedView, page_of
from escalation.groups import ending, selectors, silencing
from escalation.models import AlertGroup, Silence

OVER: Final = "This group has already been resolved."
WINDOW: Final = {
    "reason": "Sunday maintenance",
    "matchers": [{"label": "cluster", "op": "=", "value": "paris-1"}],
    "starts_at": "2026-12-06T02:00:00+01:00",
    "ends_at": "2026-12-06T04:00:00+01:00",
    "rule": "FREQ=WEEKLY",
    "time_zone": "Europe/Paris",
}


class OneGroupView(ListedView):
    serializer_class: type[Any] = GroupSerializer
    ordering: tuple[str, ...] = ("-opened_at", "-id")
    queryset = AlertGroup.objects.none()
    lookup_url_kwarg = "group_id"

    def get_queryset(self) -> QuerySet[AlertGroup]:
        return selectors.groups_visible_to(self.request.user)

    def answer(self) -> Response:
        group = self.get_object()
        group.shown_alerts = selectors.alerts_of(group)
        group.shown_said = selectors.said_of(group)
        group.shown_stormed = selectors.stormed_of(group)
        return Response(GroupDetailSerializer(group).data)


@extend_schema(tags=["alert groups"])
class GroupsView(OneGroupView):
    filterset_class = GroupFilter

    @extend_schema(operation_id="groups_list", responses=page_of(GroupSerializer))
    def get(self, request: Request) -> Response:
        """List groups, newest first: all for staff and machines, for others those of which they were told."""
        return self.listed(self.get_queryset())


@extend_schema(tags=["alert groups"])
class GroupView(OneGroupView):
    @extend_schema(operation_id="groups_read", responses={200: GroupDetailSerializer, **errors(403, 404)})
    def get(self, request: Request, group_id: UUID) -> Response:
        """Show a group with its alerts, what was said of them, and why it is told as it is."""
        return self.answer()


@extend_schema(tags=["alert groups"])
class GroupAcknowledgeView(OneGroupView):
    @extend_schema(
        operation_id="groups_acknowledge",
        request=None,
        responses={200: GroupDetailSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, group_id: UUID) -> Response:
        """Say that you take care of it: nobody more is told. 409 if it is resolved."""
        group = self.get_object()
        if not ending.group_acknowledge(group=group, by=str(request.user), via="api", now=clock.now()):
            raise Conflict(OVER)
        return self.answer()


@extend_schema(tags=["alert groups"])
class GroupResolveView(OneGroupView):
    @extend_schema(
        operation_id="groups_resolve",
        request=None,
        responses={200: GroupDetailSerializer, **errors(403, 404)},
    )
    def post(self, request: Request, group_id: UUID) -> Response:
        """Close it, whatever still fires in it. Once this is answered, no send of it begins.

        Whoever was told of it is told that it is over. A group that is resolved stays as it is.
        """
        ending.group_resolve(group=self.get_object(), by=str(request.user), via="api", now=clock.now())
        return self.answer()


@extend_schema(tags=["alert groups"])
class GroupSnoozeView(OneGroupView):
    @extend_schema(
        operation_id="groups_snooze",
        request=SnoozeSerializer,
        responses={200: GroupDetailSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("until eight", value={"until": "2026-12-01T08:00:00Z"}, request_only=True)],
    )
    def post(self, request: Request, group_id: UUID) -> Response:
        """Put it off: it is told again then, unless it is over. 409 if it is resolved."""
        group = self.get_object()
        until = validated(SnoozeSerializer(data=request.data))["until"]
        now = clock.now()
        if not ending.group_snooze(group=group, until=until, by=str(request.user), via="api", now=now):
            raise Conflict(OVER)
        return self.answer()


class _Silences(ListedView):
    serializer_class: type[Any] = SilenceSerializer
    queryset = Silence.objects.select_related("created_by")
    lookup_url_kwarg = "silence_id"


@extend_schema(tags=["silences"])
class SilencesView(_Silences):
    filterset_class = SilenceFilter

    @extend_schema(operation_id="silences_list", responses=page_of(SilenceSerializer))
    def get(self, request: Request) -> Response:
        """List silences, newest first, those that are over too."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="silences_create",
        request=SilenceInSerializer,
        responses={201: SilenceSerializer, **errors(*BODY, 403)},
        examples=[OpenApiExample("every Sunday", value=WINDOW, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Silence what matches, once or by a rule. Once this is answered, no send of it begins.

        What is silenced is kept and shown, and told once the silence is over if it is still open then.
        """
        now = clock.now()
        given = validated(SilenceInSerializer(data=request.data))
        silence = silencing.silence_create(**{"starts_at": now, **given}, by=self.person, now=now)
        return Response(SilenceSerializer(silence).data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["silences"])
class SilenceView(_Silences):
    @extend_schema(operation_id="silences_read", responses={200: SilenceSerializer, **errors(403, 404)})
    def get(self, request: Request, silence_id: UUID) -> Response:
        return Response(SilenceSerializer(self.get_object()).data)

    @extend_schema(
        operation_id="silences_cancel",
        responses={204: OpenApiResponse(description="It holds nothing back any more."), **errors(403, 404)},
    )
    def delete(self, request: Request, silence_id: UUID) -> Response:
        """End it now, for good: what it held back and is still open is told. It stays in the list."""
        silencing.silence_cancel(silence=self.get_object(), now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
