"""Heartbeats: made, changed, paused and removed, and what they reported."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Scope
from accounts.rights import may, staff
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import stored, validated
from escalation.api.filters import HeartbeatFilter
from escalation.api.heartbeat_serializers import (
    HeartbeatChangeSerializer,
    HeartbeatInSerializer,
    HeartbeatPingSerializer,
    HeartbeatSerializer,
)
from escalation.api.views.base import REMOVED, ListedView, made, page_of
from escalation.heartbeats import changing, links
from escalation.models import Heartbeat, HeartbeatPing

TAG: Final = "heartbeats"
EXAMPLE: Final = {
    "name": "Nightly back-up",
    "policy": "night-shift",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Paris",
    "grace_s": 1800,
    "tags": ["backup"],
}


class _Heartbeats(ListedView):
    """Staff watch what they like; only keys that may change them see the ping addresses."""

    serializer_class: type[Any] = HeartbeatSerializer
    queryset = Heartbeat.objects.select_related("shop", "policy")
    lookup_url_kwarg = "heartbeat_id"

    def shown(self, heartbeats: Sequence[Heartbeat]) -> list[Any]:
        may_ping = may(self.request.user, staff(Scope.ESCALATIONS_WRITE))
        keys = links.keys_of(heartbeats) if may_ping else None
        context = {"now": clock.now(), "keys": keys}
        return list(HeartbeatSerializer(heartbeats, many=True, context=context).data)


@extend_schema(tags=[TAG])
class HeartbeatsView(_Heartbeats):
    filterset_class = HeartbeatFilter

    @extend_schema(operation_id="heartbeats_list", responses=page_of(HeartbeatSerializer))
    def get(self, request: Request) -> Response:
        """List heartbeats, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(page or []))

    @extend_schema(
        operation_id="heartbeats_create",
        request=HeartbeatInSerializer,
        responses=made(HeartbeatSerializer, "heartbeat"),
        examples=[OpenApiExample("every night", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a heartbeat; 409 if another one of its shop has the slug. It waits for its first ping."""
        given = validated(HeartbeatInSerializer(data=request.data))
        heartbeat, is_new = changing.heartbeat_create(**given)
        return stored(self.shown([heartbeat])[0], is_new=is_new)


@extend_schema(tags=[TAG])
class HeartbeatView(_Heartbeats):
    @extend_schema(operation_id="heartbeats_read", responses={200: HeartbeatSerializer, **errors(403, 404)})
    def get(self, request: Request, heartbeat_id: UUID) -> Response:
        return Response(self.shown([self.get_object()])[0])

    @extend_schema(
        operation_id="heartbeats_change",
        request=HeartbeatChangeSerializer,
        responses={200: HeartbeatSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("more grace", value={"grace_s": 7200}, request_only=True)],
    )
    def patch(self, request: Request, heartbeat_id: UUID) -> Response:
        """Change the given fields. A new period or cron line counts from the last ping on."""
        heartbeat = self.get_object()
        given = validated(HeartbeatChangeSerializer(heartbeat, data=request.data))
        return Response(self.shown([changing.heartbeat_update(heartbeat=heartbeat, **given)])[0])

    @extend_schema(operation_id="heartbeats_remove", responses=REMOVED)
    def delete(self, request: Request, heartbeat_id: UUID) -> Response:
        """Remove it with its pings. What was told of it is over."""
        changing.heartbeat_remove(heartbeat=self.get_object(), now=clock.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=[TAG])
class HeartbeatPauseView(_Heartbeats):
    @extend_schema(
        operation_id="heartbeats_pause",
        request=None,
        responses={200: HeartbeatSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, heartbeat_id: UUID) -> Response:
        """Wait for nothing until the next ping. What was told of it is over."""
        heartbeat = changing.heartbeat_pause(heartbeat=self.get_object(), now=clock.now())
        return Response(self.shown([heartbeat])[0])


@extend_schema(tags=[TAG])
class HeartbeatPingsView(_Heartbeats):
    serializer_class = HeartbeatPingSerializer
    ordering = ("-number", "-id")

    @extend_schema(operation_id="heartbeats_pings", responses=page_of(HeartbeatPingSerializer, 404))
    def get(self, request: Request, heartbeat_id: UUID) -> Response:
        """List its last hundred pings, newest first."""
        return self.listed(HeartbeatPing.objects.filter(heartbeat=self.get_object()))
