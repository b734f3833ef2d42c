"""What the views of dating share: who may do what, and for whom."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request

from accounts.models import User
from config.rest.views import validated
from dating import selectors
from dating.api.serializers import CommandInSerializer, DatingEventSerializer
from dating.models import Event

_View = TypeVar("_View", bound=type)


class DatingView(GenericAPIView[Event]):
    """For everybody with an account, and for machines with the scope."""

    serializer_class = DatingEventSerializer
    queryset = Event.objects.none()
    filter_backends: list[Any] = []

    def event(self, event_id: UUID) -> Event:
        return get_object_or_404(Event.objects.all(), pk=event_id)


class PersonView(DatingView):
    """For people, each about themselves."""

    def person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user


class OrganiserView(DatingView):
    """For those who run the event: the staff, its organiser, and machines with the scope."""

    def event(self, event_id: UUID) -> Event:
        event = super().event(event_id)
        if not selectors.runs(self.request.user, event):
            raise PermissionDenied("Only its organiser and the staff can do this.")
        return event


def posts(operation_id: str, **schema: Any) -> Callable[[_View], _View]:
    """Document a view's one command, which the docstring of its class describes."""
    return extend_schema_view(post=extend_schema(tags=["dating"], operation_id=operation_id, **schema))


def meant(request: Request) -> User:
    """Return for whom a command is: for whoever gives it, unless a machine or the staff name somebody.

    PermissionDenied: somebody else is named by one who may not. NotFound: there is nobody of that id.
    """
    user_id = validated(CommandInSerializer(data=request.data)).get("user_id")
    speaker = request.user
    if not isinstance(speaker, User):
        if user_id is None:
            raise ValidationError({"user_id": ["Name the person it is for: a machine can't act for itself."]})
    elif user_id is None or user_id == speaker.pk:
        return speaker
    elif not speaker.is_staff:
        raise PermissionDenied("You can only do this for yourself.")
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound("There is no one with that id.")
    return user
