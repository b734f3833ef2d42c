"""JSON web tokens: a short-lived access token, and a refresh token that works once."""

from dataclasses import dataclass
from typing import Any, Final, Self

from django.db import transaction
from rest_framework_simplejwt.exceptions import ExpiredTokenError, InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, BlacklistMixin, RefreshToken
from rest_framework_simplejwt.utils import datetime_from_epoch, get_md5_hash_password

from accounts.models import User
from accounts.services.tokens import token_kill, token_store

NOT_GOOD: Final = "This refresh token is not valid, or has been used, ended or expired."


class DeadToken(TokenError):
    """It is one of ours, and was used or ended."""


class Refresh(RefreshToken):
    """simplejwt's refresh token, which stores its id and not itself."""

    @classmethod
    def for_user(cls, user: Any) -> Self:
        # Past the mixin, which would write the token as it is into the database.
        token: Self = super(BlacklistMixin, cls).for_user(user)
        token_store(user=user, jti=token["jti"], issued_at=token.current_time, expires_at=token.expires_at)
        return token

    def check_blacklist(self) -> None:
        try:
            super().check_blacklist()
        except TokenError as error:
            raise DeadToken(*error.args) from error

    @property
    def expires_at(self) -> Any:
        return datetime_from_epoch(self["exp"])

    def is_of(self, user: User | None) -> bool:
        """Whether this person may go on with it: there, active, and with the password of then."""
        return (
            user is not None
            and user.is_active
            and self.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password)
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What somebody goes on with."""

    user: User
    access: AccessToken
    refresh: Refresh


def tokens_issue(user: User) -> Tokens:
    """Make a pair for somebody who has shown who they are."""
    refresh = Refresh.for_user(user)
    return Tokens(user, refresh.access_token, refresh)


def tokens_rotate(raw: str) -> Tokens:
    """Exchange a refresh token, which is dead from then on, for a new pair.

    Raises:
        InvalidToken: it is not good; of two exchanges at the same instant, one of them.
    """
    try:
        old = Refresh(raw)  # type: ignore[arg-type]
    except TokenError as error:
        raise InvalidToken(NOT_GOOD) from error
    user = User.objects.filter(pk=old[api_settings.USER_ID_CLAIM]).first()
    if user is None or not old.is_of(user):
        raise InvalidToken(NOT_GOOD)
    with transaction.atomic():
        if not token_kill(jti=old["jti"], expires_at=old.expires_at):
            raise InvalidToken(NOT_GOOD)
        return tokens_issue(user)


def token_end(raw: str) -> None:
    """End a refresh token; one that is dead or expired already stays so.

    Raises:
        TokenError: it is none of ours.
    """
    try:
        token = Refresh(raw)  # type: ignore[arg-type]
    except (DeadToken, ExpiredTokenError):
        return
    token_kill(jti=token["jti"], expires_at=token.expires_at)
