"""Changing one's password, and setting it anew by a mailed link."""

from typing import Final

from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import rate_limits
from accounts.api.serializers.credentials import (
    AcceptedSerializer,
    PasswordChangeSerializer,
    ResetConfirmSerializer,
    ResetSerializer,
    SessionSerializer,
)
from accounts.api.throttles import Acts, PerAddress, Resets
from accounts.api.tokens import tokens_issue
from accounts.api.views.base import DONE, OpenView, person, secret
from accounts.api.views.credentials import SESSION
from accounts.services.passwords import password_change, password_reset_confirm, password_reset_request
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated

ASKED: Final = {"detail": "If there is an account with this address, a link is on its way to it."}


@extend_schema(tags=["accounts"])
class PasswordChangeView(APIView):
    throttle_classes = [Acts]  # its owner is told

    @extend_schema(
        operation_id="auth_password_change",
        request=PasswordChangeSerializer,
        responses={200: SessionSerializer, **errors(*BODY, 403, 429)},
        examples=[
            OpenApiExample(
                "change",
                value={"current_password": "correct horse battery", "new_password": "staple full of hay"},
                request_only=True,
            ),
            SESSION,
        ],
    )
    def post(self, request: Request) -> Response:
        """Set a new password. All earlier tokens and sessions end; the answer has new tokens."""
        fields = validated(PasswordChangeSerializer(data=request.data))
        user = person(request)
        password_change(user=user, now=clock.now(), **fields)
        if request.auth is None:
            # The caller came with a session, which is to go on.
            update_session_auth_hash(request._request, user)
        return secret(SessionSerializer(tokens_issue(user)).data)


@extend_schema(tags=["accounts"], auth=[])
class PasswordResetView(OpenView):
    authentication_classes = []
    throttle_classes = [PerAddress, Resets]
    throttle_scope = "reset"
    account_throttle_scope = "reset-account"

    @extend_schema(
        operation_id="auth_password_reset",
        request=ResetSerializer,
        responses={202: AcceptedSerializer, **errors(*BODY, 429)},
        examples=[
            OpenApiExample("forgotten", value={"email": "ana@example.com"}, request_only=True),
            OpenApiExample("asked", value=ASKED, response_only=True, status_codes=["202"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Ask for a link to set a new password by mail. The answer is the same if there is no account."""
        fields = validated(ResetSerializer(data=request.data))
        password_reset_request(email=fields["email"], now=clock.now())
        return Response(ASKED, status=status.HTTP_202_ACCEPTED)


@extend_schema(tags=["accounts"], auth=[])
class PasswordResetConfirmView(OpenView):
    authentication_classes = []

    @extend_schema(
        operation_id="auth_password_reset_confirm",
        request=ResetConfirmSerializer,
        responses={**DONE, **errors(*BODY, 429)},
        examples=[
            OpenApiExample(
                "set", value={"token": "AZjH8lSx…", "new_password": "staple full of hay"}, request_only=True
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Set a new password with the token from a mailed link, once. All earlier tokens and sessions end."""
        fields = validated(ResetConfirmSerializer(data=request.data))
        address = rate_limits.address_of(request.META)
        with rate_limits.failures_counted(ValidationError, scope="reset", who=address):
            password_reset_confirm(now=clock.now(), **fields)
        return Response(status=status.HTTP_204_NO_CONTENT)
