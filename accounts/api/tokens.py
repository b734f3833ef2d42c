"""JSON web tokens: a short-lived access token, and a refresh token that works once.

Beside what simplejwt puts into them, they say in which epoch of the person they were issued (see
``accounts.models.User``), and in which log-in: all that follow from one refresh token are of one.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import structlog
from django.db import transaction
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import ExpiredTokenError, InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, BlacklistMixin, RefreshToken, Token
from rest_framework_simplejwt.utils import datetime_from_epoch, get_md5_hash_password

from accounts.models import User
from accounts.services.tokens import log_in_end, log_in_is_over, token_kill, token_store
from config.rows import Columns
from config.sql import run_prepared
from config.statements import named

log = structlog.get_logger(__name__)

NOT_GOOD: Final = "This refresh token is invalid, or has been used, ended or expired."
OVER: Final = "This token has been ended. Log in again."
EPOCH: Final = "epoch"
LOG_IN: Final = "log_in"

_USER: Final = Columns(User)
_BEARER: Final = f"""
SELECT {_USER.of("it")} FROM accounts_user AS it
 WHERE uuid = %(user)s AND NOT EXISTS (SELECT FROM accounts_endedlogin AS ended WHERE ended.id = %(log_in)s)
"""  # noqa: S608
named("accounts.bearer", "Find whose access token it is, unless its log-in is over.", _BEARER)


class DeadToken(TokenError):
    """It is one of ours, and was used before."""

    def __init__(self, token: "Refresh") -> None:
        super().__init__(NOT_GOOD)
        self.token = token


class Refresh(RefreshToken):
    """simplejwt's refresh token, which stores its id and not itself."""

    @classmethod
    def for_user(cls, user: Any, *, log_in: str = "") -> Self:
        # Past the mixin, which would write the token as it is into the database.
        token: Self = super(BlacklistMixin, cls).for_user(user)
        token[EPOCH] = user.epoch
        token[LOG_IN] = log_in or token["jti"]
        token_store(user=user, jti=token["jti"], issued_at=token.current_time, expires_at=token.expires_at)
        return token

    def check_blacklist(self) -> None:
        try:
            super().check_blacklist()
        except TokenError as error:
            raise DeadToken(self) from error

    @property
    def expires_at(self) -> Any:
        return datetime_from_epoch(self["exp"])

    @property
    def log_in(self) -> str:
        # One that an earlier version issued is the first of its log-in.
        return str(self.get(LOG_IN) or self["jti"])

    def end_log_in(self, *, is_theft: bool = False) -> None:
        log_in_end(user_id=self[api_settings.USER_ID_CLAIM], log_in=self.log_in, is_theft=is_theft)


class TokenAuthentication(JWTAuthentication):
    """``Authorization: Bearer`` with an access token, for as long as its person and its log-in are good."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Return whose token it is, in one query.

        Raises:
            InvalidToken: they are gone or locked out, or it was ended.
        """
        asked = {
            "user": validated_token.get(api_settings.USER_ID_CLAIM),
            "log_in": validated_token.get(LOG_IN, ""),
        }
        for row in run_prepared(_BEARER, asked):
            user = _USER.row(row)
            if is_of(validated_token, user):
                return user
        raise InvalidToken(OVER)


class TokenScheme(SimpleJWTScheme):
    target_class = "accounts.api.tokens.TokenAuthentication"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What somebody goes on with."""

    user: User
    access: AccessToken
    refresh: Refresh


def is_of(token: Token, user: User) -> bool:
    """Whether this person may go on with it: active, with the password of then, and not locked out since."""
    return (
        user.is_active
        and token.get(EPOCH, 0) == user.epoch
        and token.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password)
    )


def tokens_issue(user: User, *, log_in: str = "") -> Tokens:
    """Make a pair for somebody who has shown who they are; a new log-in, unless it says of which it is."""
    refresh = Refresh.for_user(user, log_in=log_in)
    return Tokens(user, refresh.access_token, refresh)


def tokens_rotate(raw: str) -> Tokens:
    """Exchange a refresh token, which is dead from then on, for a new pair.

    One that was used before ends its log-in: two have it, and nobody knows which of them is the owner.

    Raises:
        InvalidToken: it is not good; of two exchanges at the same instant, one of them.
    """
    try:
        old = Refresh(raw)  # type: ignore[arg-type]
    except DeadToken as dead:
        dead.token.end_log_in(is_theft=True)
        log.warning("refresh_token_used_again", user=dead.token[api_settings.USER_ID_CLAIM])
        raise InvalidToken(NOT_GOOD) from dead
    except TokenError as error:
        raise InvalidToken(NOT_GOOD) from error
    user = User.objects.filter(pk=old[api_settings.USER_ID_CLAIM]).first()
    if user is None or not is_of(old, user) or log_in_is_over(old.log_in):
        raise InvalidToken(NOT_GOOD)
    with transaction.atomic():
        if not token_kill(jti=old["jti"], expires_at=old.expires_at):
            raise InvalidToken(NOT_GOOD)
        return tokens_issue(user, log_in=old.log_in)


def token_end(raw: str) -> None:
    """End the log-in that a refresh token is of; one that is over already stays so.

    Raises:
        TokenError: it is none of ours.
    """
    try:
        token = Refresh(raw)  # type: ignore[arg-type]
    except DeadToken as dead:
        token = dead.token
    except ExpiredTokenError:
        return
    token.end_log_in()
