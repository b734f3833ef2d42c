"""Redis hands out the rates of lanes, a slice at a time: the generic cell rate algorithm, for all workers.

What is kept of a lane is when its next send may begin. Each slice moves that on, so that no two workers have
the same time. It is a part of a quarter of a second, by how many workers ask, and costs one round trip.
"""

import asyncio
from typing import Final

import structlog
from redis.exceptions import RedisError

from notifications.engine.peers import WITHIN_S, WORKERS, Peers
from notifications.engine.rate import SLICE_S, Slice

log = structlog.get_logger(__name__)

#: A worker that has not asked for so long, in seconds, has nothing to send to a lane any more.
FORGET_S: Final = 2.0

# By Redis' own clock, in microseconds. Handed out is at most a slice ahead of now, but for what goes first.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, slice, forget = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - forget)
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.ceil(forget / 1000))
local asking = redis.call('ZCARD', KEYS[2])
local workers = math.max(asking, redis.call('SCARD', KEYS[3]))
local free = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local left = math.max(slice, interval) - (free - now)
local count = math.max(0, math.ceil(left / interval / asking))
if ARGV[5] == '1' then
    count = math.max(1, count)
end
if count == 0 then
    return {0, -left, workers}
end
local last = free + count * interval
redis.call('SET', KEYS[1], string.format('%.0f', last), 'PX', math.ceil((last - now) / 1000))
return {count, free - now, workers}
"""


class Slices:
    """Asks Redis for slices of lanes' rates."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._take = peers.redis.register_script(_TAKE)

    async def take(self, lane: str, per_s: float, *, front: bool) -> Slice | None:
        """Return a lane's next slice, if ``front`` of one send at least; None where Redis gives no answer."""
        interval_s = 1 / per_s
        forget_s = max(FORGET_S, 4 * interval_s)
        times = [round(seconds * 1_000_000) for seconds in (interval_s, SLICE_S, forget_s)]
        keys = [f"tocsin:rate:{lane}", f"tocsin:rate:{lane}:workers", WORKERS]
        try:
            async with asyncio.timeout(WITHIN_S):
                count, wait_us, self._peers.count = await self._take(
                    keys=keys, args=[self._peers.name, *times, int(front)]
                )
        except (RedisError, OSError) as error:
            log.warning("rate_not_shared", lane=lane, error=type(error).__name__)
            return None
        return Slice(count, wait_us / 1_000_000, interval_s)
