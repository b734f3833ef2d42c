"""Registering, confirming and cancelling, with the original's replies; and one's own registrations."""

from collections.abc import Callable
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.throttles import Acts
from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict
from config.rest.openapi import BODY, errors
from dating import selectors
from dating.api.filters import RegistrationFilter
from dating.api.serializers import (
    CancelledSerializer,
    CommandInSerializer,
    ConfirmedSerializer,
    DatingRegistrationSerializer,
    RegisteredSerializer,
)
from dating.api.views.base import DatingView, meant, posts
from dating.models import Event, Registration
from dating.services import (
    registration_cancel,
    registration_confirm,
    registration_create,
    registrations_cancel,
)

_COMMAND: Final[dict[str, Any]] = {
    "request": CommandInSerializer,
    "examples": [OpenApiExample("for oneself", value={}, request_only=True)],
}
_UUID_OR_0: Final = {
    "type": "string",
    "pattern": "^(0|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$",
    "description": "An event; 0 means all of them, as with `/dating/registrations/cancel/`.",
}
_ERRORS: Final = errors(*BODY, 403, 404, 409, 429)


class _Command(DatingView):
    """Has a command take effect, and answers as the original does; a refusal says why."""

    description = ""  # in the answer to OPTIONS; the schema's is the class's docstring
    throttle_classes = [Acts]
    service: ClassVar[Callable[..., object]]
    reply: ClassVar[str]

    def post(self, request: Request, event_id: UUID) -> Response:
        user, event = meant(request), Event.objects.filter(pk=event_id).first()
        if event is None:
            unknown = {"success": False, "detail": "There is no event with that id."}
            return Response(unknown, status=status.HTTP_404_NOT_FOUND)
        try:
            type(self).service(event=event, user=user, now=clock.now())
        except Conflict as error:
            return Response({self.reply: False, "detail": str(error)}, status=status.HTTP_409_CONFLICT)
        return Response({self.reply: True})


@posts("dating_register", responses={200: RegisteredSerializer, **_ERRORS}, **_COMMAND)
class RegisterView(_Command):
    """Register for an event, or for its waiting list if it is full; repeating it returns the same.

    409 with `user_registered` false once registration is closed.
    """

    service, reply = registration_create, "user_registered"


@posts("dating_confirm", responses={200: ConfirmedSerializer, **_ERRORS}, **_COMMAND)
class ConfirmView(_Command):
    """Confirm that you will come; repeating it returns the same.

    409 with `registration_confirmed` false if you are not registered, not asked yet, or too late.
    """

    service, reply = registration_confirm, "registration_confirmed"


@posts(
    "dating_cancel",
    parameters=[OpenApiParameter("event_id", _UUID_OR_0, OpenApiParameter.PATH)],
    responses={200: CancelledSerializer, **_ERRORS},
    **_COMMAND,
)
class CancelView(_Command):
    """Cancel your registration; repeating it returns the same.

    409 with `registration_cancelled` false if you have none, or the groups have been made.
    """

    service, reply = registration_cancel, "registration_cancelled"


@extend_schema(tags=["dating"])
class CancelAllView(DatingView):
    throttle_classes = [Acts]

    @extend_schema(
        operation_id="dating_cancel_all",
        responses={
            200: OpenApiResponse(CancelledSerializer, description="Done."),
            **errors(*BODY, 403, 404, 429),
        },
        **_COMMAND,
    )
    def post(self, request: Request) -> Response:
        """Cancel all your registrations, as cancelling event 0 does; repeating it returns the same.

        `registration_cancelled` is false if you had none to cancel, now or before.
        """
        count = registrations_cancel(user=meant(request), now=clock.now())
        return Response({"registration_cancelled": count > 0})


@extend_schema(tags=["dating"])
class RegistrationsView(ListAPIView[Registration]):
    queryset = Registration.objects.none()
    serializer_class = DatingRegistrationSerializer
    filterset_class = RegistrationFilter
    ordering = ("-event__starts_at", "-id")

    def get_queryset(self) -> QuerySet[Registration]:
        assert isinstance(self.request.user, User)
        return selectors.registrations_of(self.request.user)

    @extend_schema(
        operation_id="dating_registrations_list",
        responses={200: DatingRegistrationSerializer(many=True), **errors(400, 403)},
    )
    def get(self, request: Request) -> Response:
        """List your registrations, the latest event first."""
        return self.list(request)
