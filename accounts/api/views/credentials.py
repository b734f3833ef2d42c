"""Registering, logging in, going on with it, and logging out."""

from typing import Any, Final

from django.contrib.auth import authenticate, logout
from django.contrib.auth.models import update_last_login
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import TokenError

from accounts import rate_limits
from accounts.api.serializers.credentials import (
    LogInSerializer,
    LogOutSerializer,
    RefreshSerializer,
    RefreshTokenSerializer,
    RegisterSerializer,
    SessionSerializer,
    TokenPairSerializer,
    TokensSerializer,
)
from accounts.api.throttles import PerAddress, PerEmail, account_in
from accounts.api.tokens import Tokens, token_end, tokens_issue, tokens_rotate
from accounts.api.views.base import DONE, OpenView, by_field, secret
from accounts.models import User
from accounts.services.invitations import NotAdmitted
from accounts.services.registration import AdminOnly, user_register_and
from config.rest.openapi import BODY, errors
from config.rest.views import validated

WRONG: Final = "No active account matches this email and password."
NOT_OURS: Final = "Expected a refresh token from this service, or a session to end."

ANA: Final = {
    "id": "0198c7f2-54b1-7d6e-8a53-6f2b1f0c9e11",
    "email": "ana@example.com",
    "first_name": "Ana",
    "last_name": "Lima",
    "role": "student",
    "language": "en",
    "time_zone": "UTC",
    "phone": "",
    "email_verified_at": None,
    "phone_verified_at": None,
    "created_at": "2026-03-02T09:00:00Z",
}
SESSION: Final = OpenApiExample(
    "tokens",
    value={"access_token": "eyJ…", "refresh_token": "eyJ…", "user": ANA},
    response_only=True,
    status_codes=["200", "201"],
)
LOG_IN: Final = OpenApiExample(
    "log in", value={"email": "ana@example.com", "password": "correct horse battery"}, request_only=True
)


@extend_schema(tags=["accounts"])
class RegisterView(OpenView):
    throttle_classes = [PerAddress, PerEmail]
    throttle_scope = "register"
    account_throttle_scope = "register-account"

    @extend_schema(
        operation_id="auth_register",
        request=RegisterSerializer,
        responses={
            201: SessionSerializer,
            200: OpenApiResponse(SessionSerializer, description="The same account was registered before."),
            **errors(*BODY, 409, 429),
            403: by_field("You may not register here, or not in this role."),
        },
        examples=[
            OpenApiExample(
                "student",
                value={
                    "email": "ana@example.com",
                    "password": "correct horse battery",
                    "first_name": "Ana",
                    "last_name": "Lima",
                    "role": "student",
                },
                request_only=True,
            ),
            SESSION,
        ],
    )
    def post(self, request: Request) -> Response:
        """Create an account and log in to it at once.

        REGISTRATION decides who may. Also at `/auth/api/v1/register`. Repeating the request returns 200
        with new tokens; anything else with the same email, 409.
        """
        fields = validated(RegisterSerializer(data=request.data))
        by = request.user if isinstance(request.user, User) else None
        try:
            tokens, created = user_register_and(tokens_issue, by=by, **fields)
        except AdminOnly as error:
            raise PermissionDenied({"role": [str(error)]})
        except NotAdmitted as error:
            at_field = error.field != "detail"
            raise PermissionDenied({error.field: [str(error)]} if at_field else str(error))
        code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
        return secret(SessionSerializer(tokens).data, code)


class _LogInView(OpenView):
    authentication_classes = []

    def log_in(self, request: Request) -> Tokens:
        account, address = account_in(request.data) or "", rate_limits.address_of(request.META)
        # A body without an email is an attempt too.
        with rate_limits.log_in_counted(
            ValidationError, AuthenticationFailed, account=account, address=address
        ):
            fields = validated(LogInSerializer(data=request.data))
            email = fields["email"].strip()
            # Hashes once, whether there is such an account or not.
            user: Any = authenticate(request._request, email=email, password=fields["password"])
            if user is None:
                raise AuthenticationFailed(WRONG)
        update_last_login(User, user)
        return tokens_issue(user)


@extend_schema(tags=["accounts"], auth=[])
class LogInView(_LogInView):
    @extend_schema(
        operation_id="auth_login",
        request=LogInSerializer,
        responses={200: SessionSerializer, **errors(*BODY, 429)},
        examples=[LOG_IN, SESSION],
    )
    def post(self, request: Request) -> Response:
        """Log in with email and password. Also at `/auth/api/v1/login`."""
        return secret(SessionSerializer(self.log_in(request)).data)


@extend_schema(tags=["accounts"], auth=[])
class TokenView(_LogInView):
    @extend_schema(
        operation_id="auth_token_create",
        request=LogInSerializer,
        responses={200: TokenPairSerializer, **errors(*BODY, 429)},
        examples=[LOG_IN],
    )
    def post(self, request: Request) -> Response:
        """Log in with email and password; returns only an access token and a refresh token."""
        return secret(TokenPairSerializer(self.log_in(request)).data)


@extend_schema(tags=["accounts"], auth=[])
class RefreshView(OpenView):
    authentication_classes = []

    @extend_schema(
        operation_id="auth_refresh",
        request=RefreshTokenSerializer,
        responses={200: TokensSerializer, **errors(*BODY)},
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair. It works once: keep the new one.

        Using one twice ends its log-in, since two parties have it.
        """
        fields = validated(RefreshTokenSerializer(data=request.data))
        return secret(TokensSerializer(tokens_rotate(fields["refresh_token"])).data)


@extend_schema(tags=["accounts"], auth=[])
class TokenRefreshView(OpenView):
    authentication_classes = []

    @extend_schema(
        operation_id="auth_token_refresh",
        request=RefreshSerializer,
        responses={200: TokenPairSerializer, **errors(*BODY)},
    )
    def post(self, request: Request) -> Response:
        """The same, under the names of `auth/token`."""
        fields = validated(RefreshSerializer(data=request.data))
        return secret(TokenPairSerializer(tokens_rotate(fields["refresh"])).data)


@extend_schema(tags=["accounts"], auth=[])
class LogOutView(OpenView):
    # Having the refresh token is right enough: the access token may have expired meanwhile.
    authentication_classes = [SessionAuthentication]

    @extend_schema(
        operation_id="auth_logout",
        request=LogOutSerializer,
        responses={**DONE, **errors(*BODY, 403)},
        examples=[OpenApiExample("refresh token", value={"refresh_token": "eyJ…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """End a refresh token's log-in at once, and the session if the browser has one.

        Access tokens of that log-in end too.
        """
        fields = validated(LogOutSerializer(data=request.data))
        raw = fields.get("refresh_token", fields.get("refresh"))
        if raw is None and not request.user.is_authenticated:
            raise ValidationError({"refresh_token": [NOT_OURS]})
        if raw is not None:
            try:
                token_end(raw)
            except TokenError:
                raise ValidationError({"refresh_token": [NOT_OURS]})
        if request.user.is_authenticated:
            logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)
