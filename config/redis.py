"""The client of Redis that each process keeps, for those who must not wait for it: with short time limits."""

from functools import lru_cache
from typing import Final

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: For so long, in seconds, a Redis that hangs may hold up the acceptance of a fact, or a log-in.
TIMEOUT_S: Final = 2.0


@lru_cache(maxsize=1)
def _client(url: str) -> Redis:
    # A new connection for each request costs more than what is asked; django_rq opens one at each call, and
    # redis-py by default retries for seconds.
    return Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
    )


def client() -> Redis:
    """Return this process's client (safe for threads)."""
    return _client(settings.REDIS_URL)
