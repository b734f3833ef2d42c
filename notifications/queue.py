"""The queue as those use it who must not wait for it: one kept connection, short time limits."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import django_rq
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

# A Redis that hangs may hold up the acceptance of a fact for this long; the sweep makes good the rest.
TIMEOUT_S = 2.0


@lru_cache(maxsize=1)
def _client(url: str) -> Redis:
    # django_rq opens a new connection at each call, and redis-py by default retries for seconds.
    return Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 1)
    )


def redis() -> Redis:
    """Return this process's client (safe for threads)."""
    return _client(settings.REDIS_URL)


def enqueue(job: Callable[..., None], *args: Any) -> None:
    """Put a job on the default queue, now.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    queue = django_rq.get_queue("default", connection=redis(), commit_mode="auto")
    queue.enqueue(job, *args, result_ttl=60)
