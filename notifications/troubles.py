"""What does not get through: channels whose attempts all fail, and lanes that are closed.

Workers say so in Redis as it happens; health, metrics, the admin and the pages of the staff show it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import django_rq
from django.utils.translation import gettext
from redis import Redis
from redis.exceptions import RedisError

from config import clock
from notifications.engine.lane_news import CLOSED, CLOSED_SINCE, News
from notifications.metrics import FAILING

#: So many attempts must fail with none between that gets through: one wrong number is no trouble.
FAILURES: Final = 3
#: A lane that was closed until longer ago than this has nothing to send, in seconds.
PASSED_S: Final = 120.0
MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Trouble:
    """A channel, or one lane of it, by which nothing has got through for a while."""

    channel: str
    since: datetime
    #: Empty for the whole channel.
    lane: str = ""
    failures: int = 0
    #: The destination itself has asked to be sent nothing for now.
    is_held: bool = False

    def __str__(self) -> str:
        since = f"{self.since:%Y-%m-%d %H:%M:%S} UTC"
        if not self.lane:
            said = gettext("%(channel)s has been failing since %(since)s (%(failures)d attempts failed)")
        elif self.is_held:
            said = gettext("%(lane)s (%(channel)s) asks to be sent nothing, since %(since)s")
        else:
            said = gettext("%(lane)s (%(channel)s) is closed after lasting failure, since %(since)s")
        return said % {
            "channel": self.channel,
            "lane": self.lane,
            "since": since,
            "failures": self.failures,
        }


def channels(redis: Redis) -> list[Trouble]:
    """Return the channels by which nothing gets through, the longest first."""
    stored = cast("Mapping[bytes, bytes]", redis.hgetall(FAILING))
    held = {name.decode(): float(value) for name, value in stored.items()}
    names = [name.removesuffix(" since") for name in held if name.endswith(" since")]
    failing = [
        Trouble(name, _time(held[f"{name} since"]), failures=int(failures))
        for name in names
        if (failures := held.get(f"{name} failures", 0)) >= FAILURES
    ]
    return sorted(failing, key=lambda each: each.since)


def lanes(redis: Redis) -> list[Trouble]:
    """Return the lanes that are closed, the longest first, and not more than anybody reads."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hgetall(CLOSED)
    pipeline.hgetall(CLOSED_SINCE)
    told, since = pipeline.execute()
    news = [read for each in told.values() if (read := News.read(each))]
    passed = clock.timestamp() - PASSED_S
    closed = [
        Trouble(
            each.channel,
            _time(float(since.get(each.lane.encode(), each.until))),
            each.lane,
            is_held=not each.probe_s,
        )
        for each in news
        if each.until > passed
    ]
    return sorted(closed, key=lambda each: each.since)[:MOST_SHOWN]


def all_troubles(redis: Redis) -> list[Trouble]:
    """Return both, the channels first."""
    return [*channels(redis), *lanes(redis)]


def known() -> list[Trouble]:
    """Return the same for a page, which has other things to show where Redis is away."""
    try:
        return all_troubles(django_rq.get_connection())
    except RedisError:
        return []


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
