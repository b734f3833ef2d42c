"""Publishing events, and showing what their handlers made of them."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiKey
from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from notifications.api.event_filters import EventFilter
from notifications.api.event_serializers import (
    EnvelopeInSerializer,
    EventInSerializer,
    EventReplayInSerializer,
    EventSerializer,
)
from notifications.events import selectors
from notifications.events.outbox import event_accept
from notifications.events.replay import event_replay
from notifications.models import Event

META = {
    "timestamp": "2026-01-31T10:00:00Z",
    "routing_key": "stage.accepted",
    "source": "stage-service",
    "event_id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137",
}
PAYLOAD = {"student_id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "title": "Cardiology, spring"}
STORED = {
    "id": META["event_id"],
    "payload": PAYLOAD,
    "_meta": META,
    "is_known": True,
    "created_at": "2026-01-31T10:00:00.412000Z",
    "handlers": [
        {
            "id": "0198c7f2-6c00-7f1d-9a51-0f4f0c1f2a33",
            "handler": "notifications.people_tell",
            "status": "pending",
            "attempts": 0,
            "replays": 0,
            "error": "",
            "due_at": "2026-01-31T10:00:00.412000Z",
            "created_at": "2026-01-31T10:00:00.412000Z",
            "finished_at": None,
        }
    ],
}
# Who publishes without saying so and is no machine.
PERSON = "api"


class _Events(GenericAPIView[Event]):
    serializer_class = EventSerializer
    queryset = selectors.events_with_runs()

    def answer(self, event_id: UUID, code: int = status.HTTP_200_OK) -> Response:
        return Response(
            EventSerializer(get_object_or_404(self.get_queryset(), pk=event_id)).data, status=code
        )


@extend_schema(tags=["events"])
class EventsView(_Events):
    filterset_class = EventFilter
    ordering = ("-created_at", "-id")

    @extend_schema(
        operation_id="events_publish",
        request=PolymorphicProxySerializer(
            component_name="EventOrEnvelope",
            serializers=[EventInSerializer, EnvelopeInSerializer],
            resource_type_field_name=None,
        ),
        responses={
            201: OpenApiResponse(
                EventSerializer, description="Stored: it will be handled, whatever happens."
            ),
            200: OpenApiResponse(EventSerializer, description="The same event was published before."),
            **errors(*BODY, 403, 409),
        },
        examples=[
            OpenApiExample("flat", value={**META, "payload": PAYLOAD}, request_only=True),
            OpenApiExample("envelope", value={"payload": PAYLOAD, "_meta": META}, request_only=True),
            OpenApiExample("stored", value=STORED, response_only=True, status_codes=["201", "200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Publish an event. Repeating the request returns 200; the same `event_id` with other content, 409.

        Events with a routing key that nobody handles are stored too, with `is_known` false.
        """
        is_envelope = isinstance(request.data, dict) and "_meta" in request.data
        kind = EnvelopeInSerializer if is_envelope else EventInSerializer
        given = validated(kind(data=request.data))
        key = request.auth if isinstance(request.auth, ApiKey) else None
        event, created = event_accept(
            routing_key=given["routing_key"],
            payload=given["payload"],
            source=given.get("source") or (key.name if key else PERSON),
            occurred_at=given.get("timestamp"),
            event_id=given.get("event_id"),
            published_by=key,
        )
        return self.answer(event.pk, status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    @extend_schema(
        operation_id="events_list", responses={200: EventSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List events, newest first, each with the results of its handlers."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(EventSerializer(page, many=True).data)


@extend_schema(tags=["events"])
class EventView(_Events):
    @extend_schema(operation_id="events_read", responses={200: EventSerializer, **errors(403, 404)})
    def get(self, request: Request, event_id: UUID) -> Response:
        """Show one event with the results of its handlers."""
        return self.answer(event_id)


@extend_schema(tags=["events"])
class EventReplayView(_Events):
    @extend_schema(
        operation_id="events_replay",
        request=EventReplayInSerializer,
        responses={200: EventSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[
            OpenApiExample("dead letters and new handlers", value={}, request_only=True),
            OpenApiExample(
                "one that is done", value={"handlers": ["notifications.people_tell"]}, request_only=True
            ),
        ],
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """Run an event's handlers again: its dead letters and new handlers, or the ones you name.

        409 if there is nothing to run.
        """
        event = get_object_or_404(Event.objects.all(), pk=event_id)
        handlers = validated(EventReplayInSerializer(data=request.data)).get("handlers")
        if not event_replay(event_id=event.pk, handlers=handlers):
            raise Conflict("It has no dead letter and no new handler; name the handlers to run again.")
        return self.answer(event_id)
