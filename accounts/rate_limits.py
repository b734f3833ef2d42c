"""How often somebody may try something: counted in Redis, exactly, for all processes together."""

import hashlib
import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import uuid4

from django.conf import settings

from accounts.models import User
from config import clock
from config.redis import client
from config.rest.exceptions import TooMany

#: For how long an address counts as somebody's own after they logged in from there.
KNOWN_FOR: Final = timedelta(days=30)
MILLISECOND: Final = timedelta(milliseconds=1)
NO_LIMIT: Final = (-1, timedelta())

# As DRF reads them: the period's first letter counts.
RATE: Final = re.compile(r"(\d+)/([smhd])[a-z]*")
PERIODS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}

# How long to wait until something counts no more, of what a key holds the times of; 0: there is room.
# Whatever is refused is not added: whoever goes on trying does not put off the moment when it works again.
_WAIT_LUA: Final = """
local function wait(key, now, limit, window)
    if limit < 0 then return 0 end
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
    if redis.call('ZCARD', key) < limit then return 0 end
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    return math.max(1, (oldest or now) + window - now)
end
local function count(key, now, limit, window, member)
    if limit < 0 then return end
    redis.call('ZADD', key, now, member)
    redis.call('PEXPIRE', key, window)
end
local now, mode, member = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local limit, window = tonumber(ARGV[4]), tonumber(ARGV[5])
"""
# In one script, so that no two attempts pass for one.
TAKE_LUA: Final = f"""{_WAIT_LUA}
local waits = wait(KEYS[1], now, limit, window)
if waits == 0 and mode == 'failed' then count(KEYS[1], now, limit, window, member) end
return waits
"""
# KEYS: the failures of the address, the attempts at the account, and that the one is known to the other.
LOG_IN_LUA: Final = f"""{_WAIT_LUA}
local account_limit, account_window = tonumber(ARGV[6]), tonumber(ARGV[7])
if redis.call('EXISTS', KEYS[3]) == 1 then account_limit = -1 end
local waits = wait(KEYS[1], now, limit, window)
if waits == 0 then waits = wait(KEYS[2], now, account_limit, account_window) end
if waits > 0 or mode == 'look' then return waits end
count(KEYS[2], now, account_limit, account_window, member)
if mode == 'failed' then
    count(KEYS[1], now, limit, window, member)
    return 0
end
local account = string.match(member, '^[^:]*:')
for _, failure in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if string.sub(failure, 1, #account) == account then redis.call('ZREM', KEYS[1], failure) end
end
redis.call('SET', KEYS[3], 1, 'PX', ARGV[8])
return 0
"""
Mode = Literal["look", "failed", "right"]
#: One address may use up this part of how often an account's links may be asked for.
SHARE_OF_ADDRESS: Final = 4


def attempt_take(*, scope: str, who: str, now: datetime, share: int = 1) -> timedelta | None:
    """Count an attempt; return how long to wait where the scope's rate, or this part of it, is used up.

    Raises:
        redis.exceptions.RedisError: Redis is away. Nothing is let through uncounted.
    """
    return _taken("failed", scope=scope, who=who, now=now, share=share)


def _taken(mode: Mode, *, scope: str, who: str, now: datetime, share: int = 1) -> timedelta | None:
    limit, window = _limit(scope)
    if limit < 0:
        return None
    return _asked(TAKE_LUA, [key_of(scope, who)], now, mode, uuid4().hex, math.ceil(limit / share), window)


def act_take(*, user: User, now: datetime) -> timedelta | None:
    """Count an act that others may be told of; return how long to wait. The staff are not held to it."""
    return None if user.is_staff else attempt_take(scope="act", who=str(user.pk), now=now)


def reset_take(*, account: str, address: str, now: datetime) -> timedelta | None:
    """Count a request for a link to set a new password; return how long to wait where there were too many.

    One address has a part of the account's rate only, so that no stranger uses up the owner's. The rest does
    not bind those from which the account was logged in to from before.
    """
    theirs = f"{account} {address}"
    wait = attempt_take(scope="reset-account", who=theirs, now=now, share=SHARE_OF_ADDRESS)
    if wait is None and not address_is_known(account=account, address=address):
        wait = attempt_take(scope="reset-account", who=account, now=now)
    return wait


@contextmanager
def failures_counted(*failures: type[Exception], scope: str, who: str) -> Iterator[None]:
    """Hold a guess, made in the block, to the scope's rate of failures.

    Who guesses right counts for nothing. Of guesses at the same instant all may be looked at, but none
    counts as right once the others' failures have used up the rate: nobody can tell whether it was.

    Args:
        failures: what the block raises for a wrong one.

    Raises:
        TooMany: the rate is used up.
    """
    return _counted(lambda mode: _taken(mode, scope=scope, who=who, now=clock.now()), failures)


@contextmanager
def log_in_counted(*failures: type[Exception], account: str, address: str) -> Iterator[None]:
    """Do the same for an attempt to log in: of an address the failures count, all accounts together.

    An account's own limit is there against guesses from many addresses. It is higher than that of one
    address, and not applied to those that it was logged in to from before: a stranger can't use it up to
    keep the owner out. Whoever gets in takes back their own failures: a class behind one address may err.
    """
    keys = [key_of("login", address), key_of("login-account", account), key_of("known", account, address)]
    limits = (*_limit("login"), *(_limit("login-account") if account else NO_LIMIT), KNOWN_FOR)
    member = f"{_digest(account)}:{uuid4().hex}"
    return _counted(lambda mode: _asked(LOG_IN_LUA, keys, clock.now(), mode, member, *limits), failures)


def _counted(
    ask: Callable[[Mode], timedelta | None], failures: tuple[type[Exception], ...]
) -> Iterator[None]:
    if wait := ask("look"):
        raise TooMany(wait)
    try:
        yield
    except failures as failure:
        if wait := ask("failed"):
            raise TooMany(wait) from failure
        raise
    if wait := ask("right"):
        raise TooMany(wait)


def address_remember(*, account: str, address: str) -> None:
    """Note that somebody has logged in from there."""
    client().set(key_of("known", account, address), 1, ex=KNOWN_FOR)


def address_is_known(*, account: str, address: str) -> bool:
    """Whether somebody has logged in from there of late."""
    return bool(client().exists(key_of("known", account, address)))


def parsed(rate: str) -> tuple[int, timedelta]:
    """Read ``10/min``: how many, and within what time.

    Raises:
        ValueError: it is not of that form.
    """
    match = RATE.fullmatch(rate)
    if not match:
        raise ValueError(f"{rate!r} is not of the form 10/min (sec, min, hour, day)")
    return int(match[1]), PERIODS[match[2]]


def account_of(email: str) -> str:
    """One spelling for what is one account."""
    return email.strip().lower()


def mailbox_of(email: str) -> str:
    """One spelling for what leads to one mailbox: with most providers, what follows a plus does not count."""
    local, _, domain = account_of(email).rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def address_of(meta: Mapping[str, Any]) -> str:
    """Return whose attempts are counted together: an IPv4 address, or an IPv6 network of 64 bits.

    The proxy's word is taken only where there is a proxy; it replaces what the client says.
    """
    given = meta.get("REMOTE_ADDR") or ""
    if settings.BEHIND_TLS_PROXY:
        given = (meta.get("HTTP_X_FORWARDED_FOR") or given).rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return str(given)
    if address.version == 6:
        # Anyone with IPv6 has this many addresses.
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _limit(scope: str) -> tuple[int, timedelta]:
    rate = settings.RATES[scope]
    return NO_LIMIT if rate is None else parsed(rate)


def _asked(
    script: str, keys: list[str], now: datetime, mode: str, member: str, *limits: int | timedelta
) -> timedelta | None:
    """Run a script; return how long to wait, if at all. All its times are in milliseconds."""
    numbers = [limit if isinstance(limit, int) else limit // MILLISECOND for limit in limits]
    arguments: list[str | int] = [round(now.timestamp() * 1000), mode, member, *numbers]
    wait: Any = client().eval(script, len(keys), *keys, *arguments)
    return int(wait) * MILLISECOND if wait else None


def key_of(scope: str, *who: str) -> str:
    """Return the key in Redis under which somebody's attempts are counted."""
    return f"tocsin:attempts:{scope}:{_digest(*who)}"


def _digest(*who: str) -> str:
    # So that no email lies about in Redis, and no name can be made to look like another.
    return hashlib.blake2b("\0".join(who).encode(), digest_size=16).hexdigest()
