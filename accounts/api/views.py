"""Logging in, and one's own account."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from accounts.api.permissions import IsPerson
from accounts.api.serializers import (
    AccessTokenSerializer,
    LivingTokenRefreshSerializer,
    LoginSerializer,
    RefreshSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from accounts.models import User
from config.api import JSONOnly
from config.openapi import BODY, errors


@extend_schema(tags=["accounts"], auth=[])
class TokenView(TokenObtainPairView):
    """Log in with email and password; the answer is an access token and a refresh token."""

    content_negotiation_class = JSONOnly
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "login"

    @extend_schema(
        operation_id="auth_token_create",
        request=LoginSerializer,
        responses={200: TokenPairSerializer, **errors(*BODY, 429)},
        examples=[
            OpenApiExample(
                "log in",
                value={"email": "ana@example.com", "password": "correct horse battery"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


@extend_schema(tags=["accounts"], auth=[])
class TokenRefresh(TokenRefreshView):
    """Exchange a refresh token for a new access token."""

    serializer_class = LivingTokenRefreshSerializer
    content_negotiation_class = JSONOnly
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "login"

    @extend_schema(
        operation_id="auth_token_refresh",
        request=RefreshSerializer,
        responses={200: AccessTokenSerializer, **errors(*BODY, 429)},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().post(request, *args, **kwargs)


@extend_schema(tags=["accounts"])
class MeView(GenericAPIView[User]):
    """Your own account."""

    permission_classes = [IsPerson]
    content_negotiation_class = JSONOnly
    serializer_class = UserSerializer

    @extend_schema(operation_id="users_me", responses={200: UserSerializer, **errors(403)})
    def get(self, request: Request) -> Response:
        return Response(self.get_serializer(request.user).data)

    @extend_schema(operation_id="users_me_update", responses={200: UserSerializer, **errors(*BODY, 403)})
    def patch(self, request: Request) -> Response:
        """Change some of your account. The phone number is kept in its international form."""
        serializer = self.get_serializer(request.user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)
