"""Telling every worker's sender to look now. Only a hint: who misses it is woken by the next sweep."""

import asyncio
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import transaction
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from notifications import queue

CHANNEL = "tocsin:wake"
log = structlog.get_logger(__name__)


def publish() -> None:
    """Wake all senders now; a Redis that is away costs only the time until the next sweep."""
    try:
        queue.redis().publish(CHANNEL, b"")
    except RedisError as error:
        log.warning("wake_failed", error=str(error))


def on_commit() -> None:
    """Wake all senders when the transaction under way is committed, or now if there is none."""
    transaction.on_commit(publish, robust=True)


async def listen(on_wake: Callable[[], None]) -> None:
    """Call ``on_wake`` at each wake-up, for ever; while Redis is away, the sweep's own timer has to do."""
    while True:
        try:
            async with (
                aioredis.from_url(settings.REDIS_URL) as redis,
                redis.pubsub() as subscription,
            ):
                await subscription.subscribe(CHANNEL)
                async for _ in subscription.listen():
                    on_wake()
        except (RedisError, OSError) as error:
            log.warning("wake_channel_away", error=str(error))
            await asyncio.sleep(1)
