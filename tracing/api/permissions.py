"""Who may use the endpoints of tracing; none of it belongs to single people."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tracing import selectors


class ReadsCases(BasePermission):
    """Those who may look at cases: keys for intake can't."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not hasattr(view, (request.method or "").lower()):
            return True  # the view answers 405
        return selectors.may_read_cases(request.user)


class SetsFilters(BasePermission):
    """Reading is for those who read cases too; setting, for those who may set filters."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not hasattr(view, (request.method or "").lower()):
            return True  # the view answers 405
        if selectors.may_change_filters(request.user):
            return True
        return request.method in ("GET", "HEAD") and selectors.may_read_cases(request.user)
