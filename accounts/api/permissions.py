"""Who may use an endpoint at all, by accounts.rights; what of it they see is the selectors' matter."""

from typing import TYPE_CHECKING, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User
from accounts.rights import may_use, takes_keys

if TYPE_CHECKING:  # DRF's views read this module while they load
    from rest_framework.views import APIView

FOR_PEOPLE: Final = "Only people can do this, not an API key."


class ByTheTable(BasePermission):
    """Whoever may do this by the table of rights; an endpoint that is not in it is for nobody."""

    message: str | None = None

    def has_permission(self, request: Request, view: "APIView") -> bool:
        method = request.method or ""
        if not request.user.is_authenticated:
            return False
        if not hasattr(view, method.lower()):
            return True  # the view answers 405
        route = request.resolver_match.route if request.resolver_match else ""
        if not isinstance(request.user, User) and not takes_keys(route, method):
            self.message = FOR_PEOPLE
        return may_use(request.user, route, method)
