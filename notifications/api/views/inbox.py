"""A person's own inbox, and the stream of what changes in it."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import Token

from accounts.api.tokens import LOG_IN
from accounts.models import User
from accounts.rate_limits import address_of
from config.digits import whole
from config.live import EVENT_STREAM, STREAM_HEADERS, LiveResponse
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from notifications.api.inbox_filters import InboxFilter, InboxPages
from notifications.api.inbox_serializers import (
    LARGEST,
    NUMBER,
    DeletedSerializer,
    ItemSerializer,
    MarkAllInSerializer,
    MarkedSerializer,
    MarkInSerializer,
    SnoozedItemSerializer,
    SnoozeItemSerializer,
    UnreadSerializer,
)
from notifications.inbox import hubs, selectors, services, snoozing
from notifications.inbox.look import credentials_of
from notifications.inbox.snapshot import snapshot
from notifications.inbox.stream import Listener
from notifications.models import InboxItem

LAST_EVENT_ID: Final = "Last-Event-ID"
STREAM_EXAMPLE: Final = """\
retry: 2041

id: 6
event: unread
data: {"unread":1}

id: 7
event: notice
data: {"id":"019b…","number":7,"kind":"stage.accepted","title":"Your internship was accepted", …}

:

"""
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["notice", "unread"]},
        "id": {"type": "string", "description": "The number to resume from after a lost connection."},
        "data": {
            "type": "string",
            "description": 'JSON: an item as in the list, or how many are unread, as `{"unread": 1}`.',
        },
    },
    "required": ["event", "data"],
}
STREAM_ANSWERS: Final[dict[Any, OpenApiResponse]] = {
    (200, EVENT_STREAM): OpenApiResponse(
        EVENT,
        description="Server-Sent Events without end, each of this form.",
        examples=[OpenApiExample("a beginning", value=STREAM_EXAMPLE)],
    ),
    **errors(400, 403, 429),
}


class TooManyStreams(APIException):
    status_code: int = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "This server has too many streams open. Try again a little later."
    default_code = "too_many_streams"
    wait = 30


class TooManyStreamsFromThere(TooManyStreams):
    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = "Your network has too many streams open. Try again a little later."


class _Inbox(GenericAPIView[InboxItem]):
    """One's own: nobody sees another person's inbox here, not even staff."""

    serializer_class = ItemSerializer
    queryset = InboxItem.objects.none()

    def get_queryset(self) -> QuerySet[InboxItem]:
        return selectors.inbox_of(self.person)

    @property
    def person(self) -> User:
        user: User = self.request.user  # type: ignore[assignment]
        return user

    def by_clock(self) -> dict[str, Any]:
        return {"time_zone": self.person.time_zone}

    def unread(self) -> int:
        return selectors.unread_of(self.person).count()


@extend_schema(tags=["inbox"])
class InboxView(_Inbox):
    filterset_class = InboxFilter
    pagination_class = InboxPages

    @extend_schema(operation_id="inbox_list", responses={200: ItemSerializer(many=True), **errors(400, 403)})
    def get(self, request: Request) -> Response:
        """List your items, unread first, then newest. Following `next` shows each of them once."""
        page: Any = self.paginate_queryset(self.filter_queryset(self.queryset))
        return self.get_paginated_response(ItemSerializer(page, many=True, context=self.by_clock()).data)


@extend_schema(tags=["inbox"])
class InboxUnreadView(_Inbox):
    @extend_schema(operation_id="inbox_unread", responses={200: UnreadSerializer, **errors(403)})
    def get(self, request: Request) -> Response:
        """Count your unread items."""
        return Response({"unread": self.unread()})


@extend_schema(tags=["inbox"])
class InboxReadView(_Inbox):
    @extend_schema(
        operation_id="inbox_mark_read",
        request=MarkAllInSerializer,
        responses={200: MarkedSerializer, **errors(*BODY, 403)},
        examples=[OpenApiExample("all that was seen", value={"up_to": 7}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Mark everything up to a number read."""
        seen = validated(MarkAllInSerializer(data=request.data))
        marked = services.items_mark_read(user=self.person, **seen)
        return Response({"marked": marked, "unread": self.unread()})

    @extend_schema(operation_id="inbox_delete_read", responses={200: DeletedSerializer, **errors(403)})
    def delete(self, request: Request) -> Response:
        """Delete everything you have read."""
        return Response({"deleted": services.items_delete_read(user=self.person)})


@extend_schema(tags=["inbox"])
class InboxItemView(_Inbox):
    def item(self, item_id: UUID) -> InboxItem:
        return get_object_or_404(self.get_queryset(), pk=item_id)

    @extend_schema(operation_id="inbox_item", responses={200: ItemSerializer, **errors(403, 404)})
    def get(self, request: Request, item_id: UUID) -> Response:
        return Response(ItemSerializer(self.item(item_id), context=self.by_clock()).data)

    @extend_schema(
        operation_id="inbox_item_mark",
        request=MarkInSerializer,
        responses={200: ItemSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("read", value={"read": True}, request_only=True)],
    )
    def patch(self, request: Request, item_id: UUID) -> Response:
        """Mark it read or unread."""
        item = self.item(item_id)
        marked = services.item_mark(item=item, **validated(MarkInSerializer(data=request.data)))
        return Response(ItemSerializer(marked, context=self.by_clock()).data)

    @extend_schema(
        operation_id="inbox_item_delete",
        responses={204: OpenApiResponse(description="Deleted."), **errors(403, 404)},
    )
    def delete(self, request: Request, item_id: UUID) -> Response:
        """Delete it. The record of its delivery stays."""
        services.item_delete(item=self.item(item_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["inbox"])
class InboxSnoozedView(_Inbox):
    serializer_class = SnoozedItemSerializer
    ordering = ("snoozed_until", "pk")

    @extend_schema(
        operation_id="inbox_snoozed", responses={200: SnoozedItemSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List what you have snoozed, by when it comes back."""
        page: Any = self.paginate_queryset(selectors.snoozed_of(self.person))
        return self.get_paginated_response(
            SnoozedItemSerializer(page, many=True, context=self.by_clock()).data
        )


@extend_schema(tags=["inbox"])
class InboxItemSnoozeView(_Inbox):
    @extend_schema(
        operation_id="inbox_item_snooze",
        request=SnoozeItemSerializer,
        responses={200: SnoozedItemSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("until eight", value={"until": "2026-12-01T08:00:00Z"}, request_only=True)],
    )
    def post(self, request: Request, item_id: UUID) -> Response:
        """Take it out of the inbox until a time, or until another one than before.

        Then it comes back on top, unread, with a new number. 409 if you have snoozed 200 items.
        """
        item = get_object_or_404(selectors.kept_of(self.person), pk=item_id)
        until = validated(SnoozeItemSerializer(data=request.data))["until"]
        snoozed = snoozing.item_snooze(user=self.person, item=item, until=until)
        return Response(SnoozedItemSerializer(snoozed, context=self.by_clock()).data)


@extend_schema(tags=["inbox"])
class InboxItemWakeView(_Inbox):
    @extend_schema(
        operation_id="inbox_item_wake", request=None, responses={200: ItemSerializer, **errors(403, 404)}
    )
    def post(self, request: Request, item_id: UUID) -> Response:
        """Have it come back now. One that is in the inbox stays as it is."""
        item = get_object_or_404(selectors.kept_of(self.person), pk=item_id)
        item = snoozing.item_wake(item=item)
        return Response(ItemSerializer(item, context=self.by_clock()).data)


@extend_schema(tags=["inbox"])
class InboxStreamView(APIView):
    @extend_schema(
        operation_id="inbox_stream",
        parameters=[
            OpenApiParameter(
                LAST_EVENT_ID,
                NUMBER,
                OpenApiParameter.HEADER,
                description="Begin after the item with this number; browsers send it when they reconnect.",
            ),
            OpenApiParameter(
                "last_event_id",
                NUMBER,
                description="The same, for a page that already shows a list; the header takes precedence.",
            ),
        ],
        responses=STREAM_ANSWERS,
    )
    def get(self, request: Request) -> HttpResponse:
        """Stream what comes to your inbox, and the number of unread items whenever it changes."""
        by_header = _number(LAST_EVENT_ID, request.headers.get(LAST_EVENT_ID) or None)
        by_query = _number("last_event_id", request.query_params.get("last_event_id"))
        after = by_query if by_header is None else by_header
        address = address_of(request.META)
        if hubs.count() >= settings.STREAMS_MAX:
            raise TooManyStreams
        if hubs.count_from(address) >= settings.STREAMS_PER_ADDRESS:
            raise TooManyStreamsFromThere
        user: User = request.user  # type: ignore[assignment]
        token = request.auth if isinstance(request.auth, Token) else None
        listener = Listener(
            user_id=user.pk,
            after=after,
            credentials=credentials_of(user),
            log_in=(token.get(LOG_IN, "") if token else request._request.session.session_key) or "",
            expires_at=float(token["exp"]) + api_settings.LEEWAY.total_seconds() if token else None,
            address=address,
        )
        has_loop = isinstance(request._request, ASGIRequest)
        if request.method == "HEAD":
            return HttpResponse(content_type=EVENT_STREAM, headers=STREAM_HEADERS)
        return LiveResponse(
            b"" if has_loop else snapshot(user, after),
            live=partial(hubs.serve, listener),
            content_type=EVENT_STREAM,
            headers=STREAM_HEADERS,
        )


def _number(name: str, given: str | None) -> int | None:
    if given is None:
        return None
    if (number := whole(given, most=LARGEST)) is None:
        raise ValidationError({name: ["Expected the number of an item: a whole number from 0."]})
    return number
