"""Refresh tokens, as rows: which were issued, which are dead, and which log-ins are over."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import EndedLogIn, User
from accounts.signals import account_changed
from config import clock


def token_store(*, user: User, jti: str, issued_at: datetime, expires_at: datetime) -> None:
    """Note that a refresh token was issued: by its id alone, so that this table can't log anybody in."""
    OutstandingToken.objects.create(user=user, jti=jti, token="", created_at=issued_at, expires_at=expires_at)


def token_kill(*, jti: str, expires_at: datetime) -> bool:
    """End a refresh token; False where it was dead before. Of two at the same instant, one gets True."""
    outstanding, _ = OutstandingToken.objects.get_or_create(
        jti=jti, defaults={"token": "", "expires_at": expires_at}
    )
    return BlacklistedToken.objects.get_or_create(token=outstanding)[1]


def log_in_end(*, user_id: UUID, log_in: str, is_theft: bool = False) -> None:
    """End a log-in: every token that was issued in it, and every one that is being issued just now.

    Args:
        is_theft: whether its owner is to be warned, since somebody else may have had its tokens.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    expires_at = clock.now() + api_settings.REFRESH_TOKEN_LIFETIME
    with transaction.atomic():
        _, is_new = EndedLogIn.objects.get_or_create(
            pk=log_in, defaults={"user": user, "expires_at": expires_at}
        )
        if is_new and is_theft:
            is_confirmed = user.email_verified_at is not None
            account_changed.send(
                User, user=user, change="log_in", email=user.email, is_confirmed=is_confirmed, phone=""
            )


def log_in_is_over(log_in: str) -> bool:
    return EndedLogIn.objects.filter(pk=log_in).exists()
