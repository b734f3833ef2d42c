"""What the endpoints of escalations share."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response


class ListedView(GenericAPIView[Any]):
    def listed(self, rows: QuerySet[Any]) -> Response:
        """Answer with a page of these rows, by the filters of the view."""
        page = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
