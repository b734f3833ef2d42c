"""Showing that one reads what is sent to one's email address or phone."""

from typing import Any, ClassVar, Final

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.serializers.credentials import AcceptedSerializer, CodeSerializer
from accounts.api.serializers.users import UserSerializer
from accounts.api.throttles import PerAccount, PerAddress
from accounts.api.views.base import person
from accounts.models import Verification
from accounts.services.verifications import verification_confirm, verification_send
from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated

SENT: Final = {"detail": "A code is on its way."}
CONFIRMING: Final[dict[str, Any]] = {
    "tags": ["accounts"],
    "request": CodeSerializer,
    "responses": {200: UserSerializer, **errors(*BODY, 403)},
    "examples": [OpenApiExample("code", value={"code": "042137"}, request_only=True)],
}


class _SendView(APIView):
    throttle_classes = [PerAddress, PerAccount]
    throttle_scope = "verify"
    account_throttle_scope = "verify-account"
    purpose: ClassVar[str]

    def post(self, request: Request) -> Response:
        verification_send(user=person(request), purpose=self.purpose, now=clock.now())
        return Response(SENT, status=status.HTTP_202_ACCEPTED)


class _ConfirmView(APIView):
    purpose: ClassVar[str]

    def post(self, request: Request) -> Response:
        code = validated(CodeSerializer(data=request.data))["code"]
        verified = verification_confirm(
            user=person(request), purpose=self.purpose, code=code, now=clock.now()
        )
        return Response(UserSerializer(verified).data)


@extend_schema_view(
    post=extend_schema(
        tags=["accounts"],
        operation_id="auth_email_verify",
        request=None,
        responses={
            202: AcceptedSerializer,
            **errors(403, 429),
            409: OpenApiResponse(AcceptedSerializer, description="Already verified, or mail is not set up."),
        },
    )
)
class EmailVerifyView(_SendView):
    """Send a code to your email address. Earlier codes are void."""

    purpose = Verification.Purpose.EMAIL


@extend_schema_view(post=extend_schema(operation_id="auth_email_confirm", **CONFIRMING))
class EmailConfirmView(_ConfirmView):
    """Enter the code that came by email. It is void after 15 minutes, or 5 wrong entries."""

    purpose = Verification.Purpose.EMAIL


@extend_schema_view(
    post=extend_schema(
        tags=["accounts"],
        operation_id="auth_phone_verify",
        request=None,
        responses={
            202: AcceptedSerializer,
            **errors(400, 403, 429),
            409: OpenApiResponse(
                AcceptedSerializer,
                description="Already verified, or no channel that reaches phones is set up.",
            ),
        },
    )
)
class PhoneVerifyView(_SendView):
    """Send a code to your phone. Earlier codes are void."""

    purpose = Verification.Purpose.PHONE


@extend_schema_view(post=extend_schema(operation_id="auth_phone_confirm", **CONFIRMING))
class PhoneConfirmView(_ConfirmView):
    """Enter the code that came to your phone. It is void after 15 minutes, or 5 wrong entries."""

    purpose = Verification.Purpose.PHONE
