"""Messages of brokers that could not take effect: reading, replaying and discarding them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from config.rest.views import selected, validated
from notifications import selectors
from notifications.api.dead_message_filters import DeadMessageFilter
from notifications.api.dead_message_serializers import (
    DeadMessageInFullSerializer,
    DeadMessagesDiscardedSerializer,
    DeadMessageSerializer,
    DeadMessagesReplayedSerializer,
    DeadMessagesSelectionSerializer,
)
from notifications.brokers import dead_letters
from notifications.disclosure import dead_messages_read
from notifications.models import DeadMessage

EXAMPLE = OpenApiExample("after a fault was mended", value={"source": "dating"}, request_only=True)


class _DeadMessages(GenericAPIView[DeadMessage]):
    serializer_class = DeadMessageSerializer
    queryset = DeadMessage.objects.none()

    def get_queryset(self) -> QuerySet[DeadMessage]:
        return selectors.dead_messages_visible_to(self.request.user)

    def note_reading(self, dead: Iterable[DeadMessage]) -> None:
        dead_messages_read(dead, user=self.request.user, api_key=self.request.auth)

    def answer(self, message_id: UUID) -> Response:
        dead = get_object_or_404(self.get_queryset(), pk=message_id)
        self.note_reading([dead])
        return Response(DeadMessageInFullSerializer(dead).data)


@extend_schema(tags=["brokers"])
class DeadMessagesView(_DeadMessages):
    filterset_class = DeadMessageFilter

    @extend_schema(
        operation_id="dead_messages_list",
        responses={200: DeadMessageSerializer(many=True), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List messages that could not take effect, newest first, without their bodies."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        self.note_reading(page or ())
        return self.get_paginated_response(DeadMessageSerializer(page, many=True).data)


@extend_schema(tags=["brokers"])
class DeadMessageView(_DeadMessages):
    @extend_schema(
        operation_id="dead_messages_read", responses={200: DeadMessageInFullSerializer, **errors(403, 404)}
    )
    def get(self, request: Request, message_id: UUID) -> Response:
        """Show one message, with its body."""
        return self.answer(message_id)


@extend_schema(tags=["brokers"])
class DeadMessageReplayView(_DeadMessages):
    @extend_schema(
        operation_id="dead_messages_replay",
        request=None,
        responses={200: DeadMessageInFullSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, message_id: UUID) -> Response:
        """Replay it now. 409 says why it can't take effect, or why it failed again."""
        dead = get_object_or_404(self.get_queryset(), pk=message_id)
        dead = dead_letters.dead_message_replay(dead)
        if dead.state != DeadMessage.State.REPLAYED:
            raise Conflict(f"It failed again: {dead.reason}")
        return self.answer(message_id)


@extend_schema(tags=["brokers"])
class DeadMessageDiscardView(_DeadMessages):
    @extend_schema(
        operation_id="dead_messages_discard",
        request=None,
        responses={200: DeadMessageInFullSerializer, **errors(403, 404, 409)},
    )
    def post(self, request: Request, message_id: UUID) -> Response:
        """Discard it; you can still read it. 409 if it is no longer a dead letter."""
        dead_letters.dead_message_discard(get_object_or_404(self.get_queryset(), pk=message_id))
        return self.answer(message_id)


@extend_schema(tags=["brokers"])
class DeadMessagesReplayView(_DeadMessages):
    @extend_schema(
        operation_id="dead_messages_replay_many",
        request=DeadMessagesSelectionSerializer,
        responses={200: DeadMessagesReplayedSerializer, **errors(*BODY, 403)},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Replay many, oldest first. One that fails again doesn't stop the others."""
        chosen = _chosen(self.get_queryset(), request.data)
        before = chosen.count()
        replayed, failed = dead_letters.dead_messages_replay(chosen)
        return Response({"replayed": replayed, "failed": failed, "left": max(before - replayed - failed, 0)})


@extend_schema(tags=["brokers"])
class DeadMessagesDiscardView(_DeadMessages):
    @extend_schema(
        operation_id="dead_messages_discard_many",
        request=DeadMessagesSelectionSerializer,
        responses={200: DeadMessagesDiscardedSerializer, **errors(*BODY, 403)},
        examples=[EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Discard many."""
        return Response(
            {"discarded": dead_letters.dead_messages_discard(_chosen(self.get_queryset(), request.data))}
        )


def _chosen(seen: QuerySet[DeadMessage], data: Any) -> QuerySet[DeadMessage]:
    """Return the dead letters that a request names; others among them are left as they are."""
    given = validated(DeadMessagesSelectionSerializer(data=data))
    return selected(seen.filter(state=DeadMessage.State.DEAD), given, DeadMessageFilter)
