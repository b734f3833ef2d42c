"""The other workers, as a sender reaches them: through Redis, and never waiting for it long."""

import uuid
from typing import Final

from django.conf import settings
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from rq.worker_registration import REDIS_WORKER_KEYS

#: Longest time for an answer, in seconds.
WITHIN_S: Final = 0.5
#: RQ's own list of workers: one that was killed stays in it for minutes.
WORKERS: Final = REDIS_WORKER_KEYS


class Peers:
    """This sender's name among the others, a client to reach them with, and how many there were last."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        # Without the client's own timeouts: see notifications.engine.wake.
        self.redis = aioredis.from_url(
            settings.REDIS_URL, socket_timeout=None, retry=Retry(NoBackoff(), 1), decode_responses=True
        )
        self.count = 1

    async def close(self) -> None:
        await self.redis.aclose()
