"""What the endpoints share that somebody uses before they are logged in."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiResponse
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from config.rest.openapi import BY_FIELD

DONE: Final = {204: OpenApiResponse(description="Done.")}


class OpenView(APIView):
    """For anyone. Who says nothing of themselves here isn't asked who they are."""

    permission_classes = [AllowAny]

    def get_authenticate_header(self, request: Request) -> str:
        # Without authentication classes DRF would make a 403 of every 401.
        return 'Bearer realm="Tocsin"'


def person(request: Request) -> User:
    """Return who is logged in, where machines may not come."""
    return request.user  # type: ignore[return-value]


def secret(data: Any, code: int = status.HTTP_200_OK) -> Response:
    """An answer that nothing on the way may keep."""
    return Response(data, status=code, headers={"Cache-Control": "no-store"})


def by_field(description: str) -> OpenApiResponse:
    return OpenApiResponse(BY_FIELD, description=description)
