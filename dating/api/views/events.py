"""Events: listing, creating, and looking at one."""

from uuid import UUID

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend  # type: ignore[import-untyped]
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from dating import selectors
from dating.api.filters import EventFilter
from dating.api.serializers import DatingEventInSerializer, DatingEventSerializer
from dating.api.views.base import DatingView
from dating.models import Event
from dating.services import event_create

NEW = {"title": "Friday at eight", "starts_at": "2030-02-01T19:00:00Z", "time_zone": "Europe/Paris"}


class _Events(DatingView):
    def get_queryset(self) -> QuerySet[Event]:
        return selectors.events_with_counts()

    def answer(self, event_id: UUID, code: int = status.HTTP_200_OK) -> Response:
        found = get_object_or_404(self.get_queryset(), pk=event_id)
        return Response(DatingEventSerializer(found).data, status=code)


@extend_schema(tags=["dating"])
class EventsView(ListModelMixin, _Events):
    filter_backends = [DjangoFilterBackend]
    filterset_class = EventFilter
    ordering = ("starts_at", "id")

    @extend_schema(
        operation_id="dating_events_list",
        responses={200: DatingEventSerializer(many=True), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List events by their start, earliest first."""
        return self.list(request)

    @extend_schema(
        operation_id="dating_events_create",
        request=DatingEventInSerializer,
        responses={201: OpenApiResponse(DatingEventSerializer, description="Made."), **errors(*BODY, 403)},
        examples=[OpenApiExample("an evening", value=NEW, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create an event: for the staff, and machines with the scope."""
        fields = validated(DatingEventInSerializer(data=request.data))
        if isinstance(request.user, User):
            fields.setdefault("organiser", request.user)
        event = event_create(now=clock.now(), **fields)
        return self.answer(event.pk, status.HTTP_201_CREATED)


@extend_schema(tags=["dating"])
class EventView(_Events):
    @extend_schema(
        operation_id="dating_events_read", responses={200: DatingEventSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show one event and its progress."""
        return self.answer(event_id)
