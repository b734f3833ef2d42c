"""What is claimed and counts against a limit is counted in Redis, and not sent where the limit is used up.

Counted when it is taken to be sent, by the delivery: another attempt at it costs nothing more. Where Redis is
away nothing is held back: people can't cause anything then either, since their requests are refused.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from accounts import rate_limits
from notifications import allowances
from notifications.channels import registry
from notifications.engine.claim import Claimed
from notifications.engine.content import Content
from notifications.engine.peers import WITHIN_S, Peers
from notifications.reasons import Reason

log = structlog.get_logger(__name__)

# Of each key its window and limit. Counts by all of them, or by none where one is used up: its number.
_TAKE: Final = """
local now, member = tonumber(ARGV[1]), ARGV[2]
for number, key in ipairs(KEYS) do
    local window, limit = tonumber(ARGV[1 + 2 * number]), tonumber(ARGV[2 + 2 * number])
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
    if not redis.call('ZSCORE', key, member) and redis.call('ZCARD', key) >= limit then
        return number
    end
end
for number, key in ipairs(KEYS) do
    redis.call('ZADD', key, 'NX', now, member)
    redis.call('PEXPIRE', key, ARGV[1 + 2 * number])
end
return 0
"""


class _Question(NamedTuple):
    """What is asked of one row, by its place among the rows."""

    place: int
    scopes: Sequence[str]
    keys: list[str]
    arguments: list[Any]


class Allowed:
    """Counts what people cause."""

    def __init__(self, peers: Peers) -> None:
        self._redis = peers.redis
        self._take = peers.redis.register_script(_TAKE)

    async def over(
        self, rows: Sequence[Claimed], contents: Sequence[Content | None], now: datetime
    ) -> list[Reason | None]:
        """Return for each row why it is not to be sent; None where it is."""
        reasons: list[Reason | None] = [None] * len(rows)
        asked: list[_Question] = []
        for place, (row, content) in enumerate(zip(rows, contents, strict=True)):
            if content is None:
                continue
            scopes = allowances.scopes_of(kind=content.kind, channel=row.channel, severity=content.severity)
            if not scopes:
                continue
            if allowances.is_refused(row.address, scopes):
                reasons[place] = Reason.NUMBER_REFUSED
            elif question := _question(place, row, content, scopes, now):
                asked.append(question)
        if not asked:
            return reasons
        try:
            async with asyncio.timeout(WITHIN_S), self._redis.pipeline(transaction=False) as pipeline:
                for question in asked:
                    await self._take(keys=question.keys, args=question.arguments, client=pipeline)
                answers = list(map(int, await pipeline.execute()))
        except (RedisError, OSError) as error:
            log.warning("allowances_not_counted", count=len(asked), error=type(error).__name__)
            return reasons
        for question, answer in zip(asked, answers, strict=True):
            if answer:
                reasons[question.place] = allowances.REASONS[question.scopes[answer - 1]]
        return reasons


def _question(
    place: int, row: Claimed, content: Content, scopes: Sequence[str], now: datetime
) -> _Question | None:
    # What programs read, one address may serve for many people; and some channels have no addresses.
    is_read = registry.sendable(row.channel).digests
    about = (content.source_id,) if content.kind in allowances.BY_SOURCE else ()
    whose = {
        "paid": (str(row.user_id or row.address),),
        "paid-address": (row.address,),
        "repeats": (content.kind, row.channel, row.address, "" if is_read else str(row.user_id), *about),
    }
    rates = [(scope, rate) for scope in scopes if (rate := settings.RATES[scope]) is not None]
    if not rates:
        return None
    limits = [number for _, rate in rates for number in _window_and_limit(rate)]
    arguments: list[Any] = [round(now.timestamp() * 1000), str(row.id), *limits]
    keys = [rate_limits.key_of(scope, *whose[scope]) for scope, _ in rates]
    return _Question(place, [scope for scope, _ in rates], keys, arguments)


@lru_cache(maxsize=32)
def _window_and_limit(rate: str) -> tuple[int, int]:
    limit, window = rate_limits.parsed(rate)
    return round(window.total_seconds() * 1000), limit
