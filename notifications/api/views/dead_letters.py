"""What handlers gave up, and starting it again."""

from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import selected, validated
from notifications.api.event_filters import DeadLetterFilter
from notifications.api.event_serializers import (
    DeadLetterSerializer,
    DeadLettersReplayInSerializer,
    EventsReplayedSerializer,
)
from notifications.events import selectors
from notifications.events.replay import dead_letters_replay
from notifications.models import HandlerRun


class _DeadLetters(GenericAPIView[HandlerRun]):
    serializer_class = DeadLetterSerializer
    queryset = selectors.dead_letters()


@extend_schema(tags=["events"])
class DeadLettersView(_DeadLetters):
    filterset_class = DeadLetterFilter

    @extend_schema(
        operation_id="dead_letters_list", responses={200: DeadLetterSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List handlers' runs that were given up, newest first, with the reason."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(DeadLetterSerializer(page, many=True).data)


@extend_schema(tags=["events"])
class DeadLetterReplayView(_DeadLetters):
    @extend_schema(
        operation_id="dead_letters_replay",
        request=None,
        responses={200: DeadLetterSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Replay a dead letter, with its full number of attempts; 409 if the run is not a dead letter."""
        runs = HandlerRun.objects.select_related("event")
        run = get_object_or_404(runs, pk=run_id)
        if not dead_letters_replay(runs.filter(pk=run_id)):
            raise Conflict(f"Only a dead letter can be replayed; this one is {run.status}.")
        run.refresh_from_db()
        return Response(DeadLetterSerializer(run).data)


@extend_schema(tags=["events"])
class DeadLettersReplayView(_DeadLetters):
    @extend_schema(
        operation_id="dead_letters_replay_many",
        request=DeadLettersReplayInSerializer,
        responses={200: EventsReplayedSerializer, **errors(*BODY, 403)},
        examples=[
            OpenApiExample(
                "after a fault was mended",
                value={"handler": "notifications.people_tell", "routing_key": "stage.#"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Replay many dead letters; other runs are left as they are."""
        given = validated(DeadLettersReplayInSerializer(data=request.data))
        chosen = selected(self.get_queryset(), given, DeadLetterFilter)
        return Response({"replayed": dead_letters_replay(chosen)})
