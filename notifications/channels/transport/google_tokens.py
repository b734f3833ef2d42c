"""Access tokens of a Google service account: asked for once, kept, and renewed before they expire.

The exchange is RFC 7523 as in developers.google.com/identity/protocols/oauth2/service-account.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import jwt
import orjson

from config import clock
from notifications.channels.message import Rejected, Unavailable
from notifications.channels.transport import outcome
from notifications.channels.transport.http1 import Answer

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Seconds before its end at which a token is renewed while it is still used, and is used no more.
RENEW_S: Final = 300.0
USED_NO_MORE_S: Final = 30.0
# Seconds that an assertion is valid; Google takes no more.
ASSERTION_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Account:
    """What of a service account's key file is needed."""

    email: str
    key_id: str
    private_key: str
    token_uri: str
    project: str


@lru_cache(maxsize=4)
def account(given: str) -> Account:
    """Return the account of a key file's JSON, or of its path; raises Rejected, which quotes neither."""
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text()
        content = orjson.loads(text)
        return Account(
            email=content["client_email"],
            key_id=content.get("private_key_id", ""),
            private_key=content["private_key"],
            token_uri=content.get("token_uri") or "https://oauth2.googleapis.com/token",
            project=content["project_id"],
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise Rejected("the service account's key file can't be read or is none") from None


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    #: By time.monotonic().
    expires: float


class Tokens:
    """The tokens of one event loop. However many ask at once, one request is made for them."""

    def __init__(self, answer_to: Callable[..., Awaitable[Answer]]) -> None:
        self._answer_to = answer_to
        self._known: dict[tuple[str, str], Token] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Token]] = {}

    async def get(self, account: Account, *, scope: str, token_url: str, timeout_s: float) -> str:
        """Return a token that is valid for some time yet; raises Rejected or Unavailable if there is none."""
        key = (account.email, scope)
        known = self._known.get(key)
        left_s = known.expires - time.monotonic() if known else 0.0
        asking = self._asking.get(key)
        if left_s < RENEW_S and asking is None:
            exchange = _exchanged(self._answer_to, account, scope, token_url or account.token_uri, timeout_s)
            asking = self._asking[key] = asyncio.create_task(exchange)
            asking.add_done_callback(partial(self._keep, key))
        if known and left_s > USED_NO_MORE_S:
            return known.value
        assert asking is not None
        # Shielded: who gives up waiting must not take the token from the others.
        return (await asyncio.shield(asking)).value

    def forget(self, value: str) -> None:
        """Use a token no more that was refused."""
        self._known = {key: token for key, token in self._known.items() if token.value != value}

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Rejected, Unavailable):
                await task

    def _keep(self, key: tuple[str, str], task: asyncio.Task[Token]) -> None:
        del self._asking[key]
        if not task.cancelled() and task.exception() is None:
            self._known[key] = task.result()


async def _exchanged(
    answer_to: Callable[..., Awaitable[Answer]],
    account: Account,
    scope: str,
    token_url: str,
    timeout_s: float,
) -> Token:
    assertion = _assertion(account, scope, token_url, int(clock.timestamp()))
    asked = time.monotonic()
    try:
        answer = await answer_to(
            token_url,
            body=urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            timeout_s=timeout_s,
            trusted=True,
            keep_body=True,
        )
    except Unavailable as failure:
        raise Unavailable(f"no access token: {failure}") from None
    if not answer.is_success:
        words = "" if outcome.may_pass(answer.status) else "; check the service account"
        raise outcome.refusal(answer, now=clock.now(), words=words, about="no access token: ")
    said = outcome.said(answer.body)  # such as {"access_token": …, "expires_in": 3599}
    value, lasts_s = said.get("access_token"), said.get("expires_in")
    if not (isinstance(value, str) and value.isascii() and value.isprintable()):
        raise Unavailable("no access token: none was in the answer", status_code=answer.status)
    return Token(value, asked + (lasts_s if isinstance(lasts_s, int | float) else ASSERTION_S))


def _assertion(account: Account, scope: str, audience: str, now: int) -> str:
    claims = {"iss": account.email, "scope": scope, "aud": audience, "iat": now, "exp": now + ASSERTION_S}
    headers = {"kid": account.key_id} if account.key_id else None
    try:
        return jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Rejected("the service account's private key is none") from None
