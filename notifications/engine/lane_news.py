"""What workers tell each other of lanes: that one is closed until when, or open again.

A worker's own failures say the same, but each would have to find out: twenty failures, thirty seconds, and a
refusal for all that it had under way. A hint, as a wake-up is; who misses it finds out.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, Self

import orjson
import structlog
from redis.exceptions import RedisError

from notifications import hubs, queue
from notifications.engine.peers import WITHIN_S, WORKERS, Peers

log = structlog.get_logger(__name__)

CHANNEL: Final = "lanes"
#: The lanes that are closed, for a worker that starts or has missed something.
CLOSED: Final = "tocsin:lanes-closed"
#: Since when they are, in Unix seconds: for whoever looks at them, not for the workers.
CLOSED_SINCE: Final = "tocsin:lanes-closed-since"
#: To reach Redis, or for it to say nothing before it is asked whether it lives; and between two tries.
SUBSCRIBE_S, RETRY_S = 5.0, 1.0


class News(NamedTuple):
    """A lane is closed, or open again: ``until`` (Unix seconds, by PostgreSQL's clock) is 0 then.

    ``probe_s`` is what the breaker waits before its next probe; 0 where the destination wants to be held.
    """

    lane: str
    channel: str
    until: float
    probe_s: float
    teller: str

    @classmethod
    def read(cls, told: str | bytes) -> Self | None:
        """Read what a worker has told; None where it can't be, as of a version that tells other things."""
        try:
            lane, channel, until, probe_s, teller = orjson.loads(told)
            return cls(str(lane), str(channel), float(until), float(probe_s), str(teller))
        except (ValueError, TypeError):
            log.warning("lane_news_not_understood")
            return None


class LaneNews:
    """Tells the others, and hears from them."""

    def __init__(
        self, peers: Peers, clock: Callable[[], datetime], *, on_news: Callable[[News], None]
    ) -> None:
        self._peers = peers
        self._clock = clock
        self._on_news = on_news

    async def tell(self, lane: str, channel: str, *, until: float, probe_s: float) -> None:
        """Tell the others of a lane; ``until`` 0: it is open again. Where Redis is away, they find out."""
        news = orjson.dumps((lane, channel, until, probe_s, self._peers.name))
        try:
            async with asyncio.timeout(WITHIN_S):
                pipeline = self._peers.redis.pipeline(transaction=False)
                if until:
                    pipeline.hset(CLOSED, lane, news)
                    pipeline.hsetnx(CLOSED_SINCE, lane, self._clock().timestamp())
                else:
                    pipeline.hdel(CLOSED, lane)
                    pipeline.hdel(CLOSED_SINCE, lane)
                pipeline.publish(queue.channel(CHANNEL), news)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("lane_not_told_of", lane=lane, error=type(error).__name__)

    async def catch_up(self) -> None:
        """Hear what was told before, so that nothing is tried of which the others know better."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._catch_up()
        except (RedisError, OSError) as error:
            log.warning("lane_news_away", error=type(error).__name__)

    async def listen_forever(self) -> None:
        """Hear what the others tell, and first what was told before."""
        while True:
            try:
                async with self._peers.redis.pubsub() as subscription:
                    async with asyncio.timeout(SUBSCRIBE_S):
                        await subscription.subscribe(queue.channel(CHANNEL))
                    async for message in hubs.heard(subscription, within_s=SUBSCRIBE_S):
                        if message["type"] == "subscribe":
                            async with asyncio.timeout(SUBSCRIBE_S):
                                await self._catch_up()
                        elif message["type"] == "message" and (news := News.read(message["data"])):
                            self._hear(news)
            except (RedisError, OSError) as error:
                log.warning("lane_news_away", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _catch_up(self) -> None:
        self._peers.count = max(1, await self._peers.redis.scard(WORKERS))
        for lane, told in (await self._peers.redis.hgetall(CLOSED)).items():
            news = News.read(told)
            if news and news.until < self._clock().timestamp():
                await self._peers.redis.hdel(CLOSED, lane)
                await self._peers.redis.hdel(CLOSED_SINCE, lane)
            elif news:
                self._hear(news)

    def _hear(self, news: News) -> None:
        if news.teller != self._peers.name:
            self._on_news(news)
