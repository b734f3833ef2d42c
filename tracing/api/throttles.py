"""How often a machine or a person may mark devices."""

from datetime import datetime, timedelta

from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import rate_limits
from accounts.api.throttles import Acts


class Marks(Acts):
    """Counted by API key, or by person, over all addresses that they come from."""

    def who(self, request: Request, view: APIView) -> str:
        return str(request.user.pk)

    def take(self, who: str, request: Request, now: datetime) -> timedelta | None:
        return rate_limits.attempt_take(scope="tracing-mark", who=who, now=now)
