"""How often a machine or a person may mark devices."""

from datetime import datetime, timedelta

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts import rate_limits
from config import clock


class Marks(BaseThrottle):
    """Counted by API key, or by person, over all addresses that they come from."""

    wait_for: timedelta | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        now: datetime = clock.now()
        self.wait_for = rate_limits.attempt_take(scope="tracing-mark", who=str(request.user.pk), now=now)
        return self.wait_for is None

    def wait(self) -> float | None:
        return self.wait_for.total_seconds() if self.wait_for else None
