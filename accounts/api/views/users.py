"""One's own account, and everybody's for the staff."""

from typing import Final
from uuid import UUID

from django.contrib.auth import logout
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.filters import UserFilter
from accounts.api.serializers.users import (
    MeChangeSerializer,
    MeRemoveSerializer,
    UserChangeSerializer,
    UserForStaffSerializer,
    UserSerializer,
)
from accounts.api.throttles import Acts
from accounts.api.views.base import DONE, person
from accounts.models import User
from accounts.services.passwords import password_check
from accounts.services.users import links_renew, user_administer, user_delete, user_remove, user_update
from accounts.sessions import is_fresh
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated

PROVE_IT: Final = "To delete your account, give your password, or log in again first."


@extend_schema(tags=["accounts"])
class MeView(APIView):
    """Your own account."""

    throttle_classes = [Acts]

    @extend_schema(operation_id="users_me", responses={200: UserSerializer, **errors(403)})
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(person(request)).data)

    @extend_schema(
        operation_id="users_me_update",
        request=MeChangeSerializer,
        responses={200: UserSerializer, **errors(*BODY, 403, 409, 429)},
        examples=[
            OpenApiExample(
                "in French", value={"language": "fr", "time_zone": "Europe/Paris"}, request_only=True
            )
        ],
    )
    def patch(self, request: Request) -> Response:
        """Change parts of your account. You have to verify a new email address or phone number again."""
        user = person(request)
        changes = validated(MeChangeSerializer(data=request.data, context={"request": request}))
        password = changes.pop("current_password", None)
        if password is not None:
            password_check(user=user, password=password, field="current_password")
        return Response(UserSerializer(user_update(user=user, **changes)).data)

    @extend_schema(operation_id="users_me_remove", responses={**DONE, **errors(*BODY, 403, 429)})
    def delete(self, request: Request) -> Response:
        """Delete your account and everything that is yours, with `{"password": "…"}` as the body.

        You need no password in a session begun within the last ten minutes.
        """
        user = person(request)
        password = validated(MeRemoveSerializer(data=request.data)).get("password")
        by_session = request.auth is None
        if password is not None:
            password_check(user=user, password=password, field="password")
        elif not (by_session and is_fresh(request.session, now=clock.now())):
            raise ValidationError({"password": [PROVE_IT]})
        user_delete(user=user)
        if by_session:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["accounts"])
class RenewLinksView(APIView):
    @extend_schema(operation_id="users_me_renew_links", request=None, responses={**DONE, **errors(403)})
    def post(self, request: Request) -> Response:
        """Void your links that work without logging in: to your calendar, invitations and calls.

        Your pages show new ones.
        """
        links_renew(user=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["accounts"])
class UsersView(GenericAPIView[User]):
    serializer_class = UserForStaffSerializer
    filterset_class = UserFilter
    queryset = User.objects.all()
    ordering = ("-uuid",)

    @extend_schema(
        operation_id="users_list", responses={200: UserForStaffSerializer(many=True), **errors(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """List everyone, newest first; for staff."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(UserForStaffSerializer(page, many=True).data)


@extend_schema(tags=["accounts"], parameters=[OpenApiParameter("user_id", UUID, OpenApiParameter.PATH)])
class UserView(APIView):
    @extend_schema(operation_id="users_read", responses={200: UserForStaffSerializer, **errors(403, 404)})
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show somebody's account; for staff."""
        return Response(UserForStaffSerializer(self._user(user_id)).data)

    @extend_schema(
        operation_id="users_change",
        request=UserChangeSerializer,
        responses={200: UserForStaffSerializer, **errors(*BODY, 403, 404)},
        examples=[
            OpenApiExample("make an administrator", value={"role": "admin"}, request_only=True),
            OpenApiExample("lock out", value={"is_active": False}, request_only=True),
        ],
    )
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Change somebody's role or details, or lock them out; for administrators.

        403 for yourself and, unless you are a superuser, for staff or anyone with permissions.
        """
        user = self._user(user_id)
        changes = validated(UserChangeSerializer(data=request.data))
        changed = user_administer(user=user, by=person(request), **changes)
        return Response(UserForStaffSerializer(changed).data)

    @extend_schema(operation_id="users_remove", responses={**DONE, **errors(403, 404)})
    def delete(self, request: Request, user_id: UUID) -> Response:
        """Delete somebody's account and everything that is theirs; for administrators.

        403 for your own and, unless you are a superuser, for staff or anyone with permissions.
        """
        user_remove(user=self._user(user_id), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _user(self, user_id: UUID) -> User:
        return get_object_or_404(User, pk=user_id)
