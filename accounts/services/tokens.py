"""Refresh tokens, as rows: which were issued, and which are dead."""

from datetime import datetime

from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import User


def token_store(*, user: User, jti: str, issued_at: datetime, expires_at: datetime) -> None:
    """Note that a refresh token was issued: by its id alone, so that this table can't log anybody in."""
    OutstandingToken.objects.create(user=user, jti=jti, token="", created_at=issued_at, expires_at=expires_at)


def token_kill(*, jti: str, expires_at: datetime) -> bool:
    """End a refresh token; False where it was dead before. Of two at the same instant, one gets True."""
    outstanding, _ = OutstandingToken.objects.get_or_create(
        jti=jti, defaults={"token": "", "expires_at": expires_at}
    )
    return BlacklistedToken.objects.get_or_create(token=outstanding)[1]


def tokens_kill_all(*, user: User) -> None:
    """End every refresh token of somebody, for good."""
    living = OutstandingToken.objects.filter(user=user, blacklistedtoken=None)
    dead = [BlacklistedToken(token_id=pk) for pk in living.order_by().values_list("pk", flat=True)]
    BlacklistedToken.objects.bulk_create(dead, ignore_conflicts=True)
