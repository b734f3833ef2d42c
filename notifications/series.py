"""How much happened lately: counts by the minute for an hour, and by the quarter of an hour for a day.

They are the shared counters of notifications.metrics once more, in Redis hashes that expire.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from redis import Redis

_KEY: Final = "tocsin:series"
#: What is kept in this way: the first part of a counter's name.
NAMES: Final = ("accepted", "deliveries")


class Grain(NamedTuple):
    """How long one count lasts, and how many of them there are, in seconds and a number."""

    seconds: int
    kept: int


MINUTES: Final = Grain(60, 60)
QUARTERS: Final = Grain(900, 96)
Counts = Mapping[tuple[str, ...], float]


def note(pipeline: Any, counts: Counts, *, at: float) -> None:
    """Add what was counted since the last time.

    Args:
        at: now, in Unix seconds.
    """
    kept = {"|".join(key): amount for key, amount in counts.items() if key[0] in NAMES}
    if not kept:
        return
    for grain in (MINUTES, QUARTERS):
        key = _key(grain, int(at // grain.seconds))
        for name, amount in kept.items():
            pipeline.hincrbyfloat(key, name, amount)
        pipeline.expire(key, grain.seconds * (grain.kept + 1))


def read(connection: Redis, grain: Grain, *, at: float) -> list[Counts]:
    """Return the counts up to now, the oldest first; the last is not over yet."""
    last = int(at // grain.seconds)
    pipeline = connection.pipeline(transaction=False)
    for number in range(last - grain.kept + 1, last + 1):
        pipeline.hgetall(_key(grain, number))
    stored = cast("Sequence[Mapping[bytes, bytes]]", pipeline.execute())
    return [{tuple(k.decode().split("|")): float(v) for k, v in each.items()} for each in stored]


def _key(grain: Grain, number: int) -> str:
    return f"{_KEY}:{grain.seconds}:{number}"
