"""What the endpoints of escalations share."""

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from accounts.models import User
from config.rest.openapi import BODY, errors
from config.rest.views import stored

#: What is answered where something is removed.
REMOVED: Final = {204: OpenApiResponse(description="Removed."), **errors(403, 404)}


def page_of(shown: type[Serializer[Any]], *refusals: int) -> dict[Any, Any]:
    """Return what is answered where rows are listed."""
    return {200: shown(many=True), **errors(400, 403, *refusals)}


def made(shown: type[Serializer[Any]], what: str) -> dict[Any, Any]:
    """Return what is answered where something is made that has a name."""
    there = OpenApiResponse(shown, description=f"The same {what} already exists.")
    return {201: shown, 200: there, **errors(*BODY, 403, 409)}


class ListedView(GenericAPIView[Any]):
    def listed(self, rows: QuerySet[Any]) -> Response:
        """Answer with a page of these rows, by the filters of the view."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def answer_again(self, pk: UUID, *, is_new: bool = False) -> Response:
        """Answer with a row as it is stored now."""
        row = get_object_or_404(self.get_queryset(), pk=pk)
        return stored(self.get_serializer(row).data, is_new=is_new)

    @property
    def person(self) -> User | None:
        """Who asks; None for a machine."""
        return self.request.user if isinstance(self.request.user, User) else None
