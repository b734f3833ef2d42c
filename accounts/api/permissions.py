"""Who may use an endpoint at all; what of it they see is the selectors' matter."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.authentication import Machine


class IsStaffOrScope(BasePermission):
    """Staff, and machines whose key has the scope that ``view.required_scopes`` names for the method.

    People who aren't staff may use the methods in ``view.person_methods``.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        method = "GET" if request.method == "HEAD" else request.method or ""
        if not hasattr(view, method.lower()):
            return True  # the view answers 405
        if isinstance(user, Machine):
            scope = getattr(view, "required_scopes", {}).get(method)
            return scope is not None and scope in user.api_key.scopes
        return bool(user.is_staff) or method in getattr(view, "person_methods", ())


class IsPerson(BasePermission):
    """Anyone with an account; no machine."""

    message = "This is for people; an API key can't do it."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated) and not isinstance(request.user, Machine)


class IsStaff(IsPerson):
    """A person on the staff."""

    message = "This is for the staff."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and bool(request.user.is_staff)
