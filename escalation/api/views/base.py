"""What the endpoints of escalations share."""

from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from config.rest.openapi import BODY, errors

#: What is answered where something is removed.
REMOVED: Final = {204: OpenApiResponse(description="Removed."), **errors(403, 404)}


def made(shown: type[Serializer[Any]], what: str) -> dict[Any, Any]:
    """Return what is answered where something is made that has a name."""
    there = OpenApiResponse(shown, description=f"The same {what} already exists.")
    return {201: shown, 200: there, **errors(*BODY, 403, 409)}


class ListedView(GenericAPIView[Any]):
    def listed(self, rows: QuerySet[Any]) -> Response:
        """Answer with a page of these rows, by the filters of the view."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
