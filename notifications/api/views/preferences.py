"""How much a person wants to be told."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import IsStaffOrScope
from accounts.models import Scope, User
from config.api import JSONOnly
from config.openapi import BODY, errors
from notifications import selectors
from notifications.api.serializers import LevelInSerializer, PreferenceInSerializer, PreferenceSerializer
from notifications.models import Preference
from notifications.services.preferences import preference_set

EXAMPLE = {"user_id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11", "level": "CRITICAL"}


class _PreferenceAccess(APIView):
    permission_classes = [IsStaffOrScope]
    required_scopes = dict.fromkeys(("GET", "PUT", "PATCH"), Scope.PREFERENCES_WRITE)
    person_methods = frozenset({"GET", "PUT", "PATCH"})
    content_negotiation_class = JSONOnly

    def person(self, user_id: UUID) -> User:
        """Return whose preference is meant; to a stranger, nobody else exists."""
        user = self.request.user
        if isinstance(user, User) and user.pk == user_id:
            return user
        if not selectors.sees_all(user):
            raise Http404
        return get_object_or_404(User, pk=user_id)


def _answer(user: User) -> Response:
    preference = Preference.objects.filter(user=user).first() or Preference(user=user)
    return Response(PreferenceSerializer(preference).data)


@extend_schema(tags=["preferences"])
class PreferencesView(_PreferenceAccess):
    """Also at the original's path: `/preferences`."""

    @extend_schema(
        operation_id="preferences_read_own",
        parameters=[
            OpenApiParameter("user_id", UUID, description="Whose: needed by machines, possible for staff.")
        ],
        responses={200: PreferenceSerializer, **errors(400, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Your own level, or that of `user_id`."""
        given = request.query_params.get("user_id")
        if given is not None:
            return _answer(self.person(_uuid(given)))
        if not isinstance(request.user, User):
            raise ValidationError({"user_id": ["Say whose: this field is required."]})
        return _answer(request.user)

    @extend_schema(
        operation_id="preferences_set",
        request=PreferenceInSerializer,
        responses={200: PreferenceSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("critical only", value=EXAMPLE)],
    )
    def put(self, request: Request) -> Response:
        """Set somebody's level. STANDARD: told of everything. CRITICAL: of critical alerts only."""
        serializer = PreferenceInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = self.person(serializer.validated_data["user_id"])
        preference = preference_set(user=user, level=serializer.validated_data["level"])
        return Response(PreferenceSerializer(preference).data)


@extend_schema(tags=["preferences"])
class PreferenceView(_PreferenceAccess):
    @extend_schema(operation_id="preferences_read", responses={200: PreferenceSerializer, **errors(403, 404)})
    def get(self, request: Request, user_id: UUID) -> Response:
        """Somebody's level; STANDARD where they never chose one."""
        return _answer(self.person(user_id))

    @extend_schema(
        operation_id="preferences_change",
        request=LevelInSerializer,
        responses={200: PreferenceSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("critical only", value={"level": "CRITICAL"}, request_only=True)],
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Set somebody's level."""
        user = self.person(user_id)
        serializer = LevelInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        preference = preference_set(user=user, level=serializer.validated_data["level"])
        return Response(PreferenceSerializer(preference).data)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError({"user_id": ["Expected a UUID."]})
