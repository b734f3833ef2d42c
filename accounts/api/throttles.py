"""How often an endpoint may be tried, from one network address and for one account."""

from datetime import datetime, timedelta
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from accounts import rate_limits
from accounts.models import User
from config import clock


class _Counted(SimpleRateThrottle):
    """Counts in one step, where DRF's own reads, adds and writes, so that attempts at once pass for one."""

    scope: str
    wait_for: timedelta | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        who = self.who(request, view)
        if who is not None:
            self.wait_for = self.take(who, request, clock.now())
        return self.wait_for is None

    def who(self, request: Request, view: APIView) -> str | None:
        raise NotImplementedError

    def take(self, who: str, request: Request, now: datetime) -> timedelta | None:
        return rate_limits.attempt_take(scope=self.scope, who=who, now=now)

    def wait(self) -> float | None:
        return self.wait_for.total_seconds() if self.wait_for else None


class PerAddress(ScopedRateThrottle, _Counted):
    """By the network address, and ``view.throttle_scope``; whoever is logged in, too."""

    def who(self, request: Request, view: APIView) -> str:
        return rate_limits.address_of(request.META)


class PerAccount(ScopedRateThrottle, _Counted):
    """By ``view.account_throttle_scope``, and the person who is logged in or else the email in the body."""

    scope_attr = "account_throttle_scope"

    def who(self, request: Request, view: APIView) -> str | None:
        return str(request.user.pk) if isinstance(request.user, User) else account_in(request.data)


class Acts(_Counted):
    """By the person, for what they do of which somebody may be told: reading and removing are free."""

    scope = "act"

    def __init__(self) -> None:
        """Leave the rate to accounts.rate_limits."""

    def take(self, who: str, request: Request, now: datetime) -> timedelta | None:
        assert isinstance(request.user, User)
        return rate_limits.act_take(user=request.user, now=now)

    def who(self, request: Request, view: APIView) -> str | None:
        is_act = isinstance(request.user, User) and request.method in ("POST", "PUT", "PATCH")
        return str(request.user.pk) if is_act else None


class PerEmail(PerAccount):
    """The same, but by the email alone: whoever asks, it is about that account."""

    def who(self, request: Request, view: APIView) -> str | None:
        return account_in(request.data)


class Resets(PerEmail):
    """Requests for a link to set a new password, by account and by address together."""

    def take(self, who: str, request: Request, now: datetime) -> timedelta | None:
        return rate_limits.reset_take(account=who, address=rate_limits.address_of(request.META), now=now)


def account_in(data: Any) -> str | None:
    """Return the account that a body names by its email; None where it names none."""
    email = data.get("email") if isinstance(data, dict) else None
    return rate_limits.account_of(email) if isinstance(email, str) else None
