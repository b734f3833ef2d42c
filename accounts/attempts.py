"""How often somebody may try something: counted in Redis, exactly, for all processes together."""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts.models import User

#: For how long an address counts as somebody's own after they logged in from there.
KNOWN_FOR: Final = timedelta(days=30)
TIMEOUT_S: Final = 2.0

# As DRF reads them: the period's first letter counts.
RATE: Final = re.compile(r"(\d+)/([smhd])[a-z]*")
PERIODS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}

# The times of the attempts that count. One that is refused is not added: whoever goes on trying does not
# put off the moment when it works again. In one script, so that no two attempts pass for one.
TAKE_LUA: Final = """
local key, now, window, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
if redis.call('ZCARD', key) < limit then
    redis.call('ZADD', key, now, ARGV[4])
    redis.call('PEXPIRE', key, window)
    return 0
end
local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
return math.max(1, (oldest or now) + window - now)
"""


@lru_cache(maxsize=1)
def _client(url: str) -> Redis:
    # Kept, since a new connection for each request costs more than the count; and redis-py by default
    # retries for seconds, in which a Redis that is away would hold up every log-in.
    return Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
    )


def attempt_take(*, scope: str, who: str, now: datetime) -> timedelta | None:
    """Count an attempt; return how long to wait where the scope's rate is used up.

    Raises:
        redis.exceptions.RedisError: Redis is away. Nothing is let through uncounted.
    """
    rate = settings.RATES[scope]
    if rate is None:
        return None
    limit, window = parsed(rate)
    milliseconds = [round(now.timestamp() * 1000), round(window.total_seconds() * 1000)]
    redis = _client(settings.REDIS_URL)
    wait: Any = redis.eval(TAKE_LUA, 1, key_of(scope, who), *milliseconds, limit, uuid4().hex)
    return timedelta(milliseconds=int(wait)) if wait else None


def act_take(*, user: User, now: datetime) -> timedelta | None:
    """Count something that a person does of which somebody may be told; return how long to wait.

    The staff are not held to it: they tell people on purpose.
    """
    return None if user.is_staff else attempt_take(scope="act", who=str(user.pk), now=now)


def log_in_take(*, account: str, address: str, now: datetime) -> timedelta | None:
    """Count an attempt to log in; return how long to wait where it may not be made.

    An account's own limit is there against guesses from many addresses. It is higher than that of one
    address, and not applied to those that it was logged in to from before: a stranger can't use it up to
    keep the owner out.
    """
    wait = attempt_take(scope="login", who=address, now=now)
    if wait is None and account and not address_is_known(account=account, address=address):
        wait = attempt_take(scope="login-account", who=account, now=now)
    return wait


def address_remember(*, account: str, address: str) -> None:
    """Note that somebody has logged in from there."""
    _client(settings.REDIS_URL).set(key_of("known", account, address), 1, ex=KNOWN_FOR)


def address_is_known(*, account: str, address: str) -> bool:
    """Whether somebody has logged in from there of late."""
    return bool(_client(settings.REDIS_URL).exists(key_of("known", account, address)))


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


def key_of(scope: str, *who: str) -> str:
    """Return the key in Redis under which somebody's attempts are counted."""
    # Hashed, so that no email lies about in Redis, and no name can be made to look like another.
    digest = hashlib.blake2b("\0".join(who).encode(), digest_size=16).hexdigest()
    return f"tocsin:attempts:{scope}:{digest}"
