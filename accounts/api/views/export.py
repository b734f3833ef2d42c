"""All that is stored about somebody, as a file."""

from typing import Any, Final
from uuid import UUID

import structlog
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import personal_data
from accounts.api.throttles import PerAccount
from accounts.models import User
from config.rest.openapi import errors

log = structlog.get_logger(__name__)

FILE: Final[dict[Any, Any]] = {
    (200, personal_data.JSON_TYPE): OpenApiTypes.OBJECT,
    (200, personal_data.ZIP_TYPE): OpenApiTypes.BINARY,
}


class _ExportView(APIView):
    throttle_classes = [PerAccount]
    account_throttle_scope = "export"


@extend_schema(tags=["accounts"])
class MyExportView(_ExportView):
    @extend_schema(operation_id="users_me_export", responses={**FILE, **errors(403, 429)})
    def get(self, request: Request) -> HttpResponse:
        """Download everything stored about you, as one JSON document; in a zip if it is larger than 32 MB.

        It leaves out passwords, codes, tokens and keys, and what others said about you in confidence.
        """
        return personal_data.download(request.user)  # type: ignore[arg-type]


@extend_schema(tags=["accounts"], parameters=[OpenApiParameter("user_id", UUID, OpenApiParameter.PATH)])
class ExportView(_ExportView):
    @extend_schema(operation_id="users_export", responses={**FILE, **errors(403, 404, 429)})
    def get(self, request: Request, user_id: UUID) -> HttpResponse:
        """Download everything stored about somebody; needs the permission to export it."""
        user = get_object_or_404(User, pk=user_id)
        log.info("person_exported", person=str(user.pk), by=str(request.user.pk))
        return personal_data.download(user)
