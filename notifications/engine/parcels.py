"""Deliveries to one destination that are told in one request, and how they gather.

What waits in a lane with the same destination, priority and number of failures is a parcel. Others join it
until it begins: for as long as the destination has them linger, and while its lane has no room.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.conf import settings

from config.clock import elapsed
from notifications.channels import registry
from notifications.channels.message import Rejected
from notifications.channels.transport.batch import Batching
from notifications.engine.claim import Claimed
from notifications.engine.content import Content
from notifications.engine.lanes import Lane

# The longest that a parcel lingers, as a part of the lease of what is in it: it is to begin within a third.
LINGER_WITHIN: Final = 1 / 4
# Answers that refuse a request for what is in it, or for its size: its halves may do better.
REFUSED: Final = frozenset({400, 413})


class Parcel:
    """Deliveries that are told in one request."""

    __slots__ = ("batching", "is_part", "is_ready", "key", "most", "rows", "start_by", "timer")

    def __init__(self, key: tuple[object, ...], batching: Batching, most: int, start_by: float) -> None:
        self.key = key
        self.batching = batching
        self.most = most
        self.start_by = start_by
        self.rows: list[tuple[Claimed, Content]] = []
        #: Whether it lingers no longer.
        self.is_ready = False
        #: Whether it is a half of one that was refused.
        self.is_part = False
        self.timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_too_late(self) -> bool:
        """Whether it is what is left of a refused one, and there is no time for it under this lease."""
        return self.is_part and elapsed() > self.start_by

    def is_refused_whole(self, result: object) -> bool:
        """Whether it was refused for something that some of it may have no part in."""
        return isinstance(result, Rejected) and result.status_code in REFUSED and len(self.rows) > 1

    def halves(self) -> list["Parcel"]:
        middle = len(self.rows) // 2
        halves = []
        for rows in (self.rows[:middle], self.rows[middle:]):
            half = Parcel(self.key, self.batching, self.most, self.start_by)
            half.rows, half.is_ready, half.is_part = rows, True, True
            halves.append(half)
        return halves


class Gathering:
    """Puts what is claimed into parcels, and each parcel into its lane when it has lingered."""

    def __init__(self, on_ready: Callable[[Lane], None]) -> None:
        self._on_ready = on_ready

    def add(
        self, lane: Lane, batching: Sequence[Any], row: Claimed, content: Content, start_by: float
    ) -> None:
        """Put a row into the parcel that waits for its like, or into a new one.

        Args:
            batching: the fields of a `Batching`.
            start_by: when, by ``clock.elapsed``, a parcel is to begin that this row is the first of.
        """
        key = (row.channel, row.contact_point_id, row.address, row.priority, row.failures)
        parcel: Parcel | None = lane.parcels.get(key)
        if parcel is None:
            how = Batching._make(batching)
            parcel = lane.parcels[key] = Parcel(key, how, _most(how, row), start_by)
            linger_s = min(how.linger_ms / 1000, settings.LEASE_S * LINGER_WITHIN)
            if linger_s and parcel.most > 1:
                loop = asyncio.get_running_loop()
                parcel.timer = loop.call_later(linger_s, self._has_lingered, lane, parcel)
        parcel.rows.append((row, content))
        lane.gathered += 1
        lane.batch = max(lane.batch, parcel.most)
        if parcel.timer is None or len(parcel) >= parcel.most:
            _get_ready(lane, parcel)
        if len(parcel) >= parcel.most:
            del lane.parcels[key]

    def _has_lingered(self, lane: Lane, parcel: Parcel) -> None:
        parcel.timer = None
        _get_ready(lane, parcel)
        self._on_ready(lane)


def _most(batching: Batching, row: Claimed) -> int:
    """Return how many are told with a row: all that may be at first, and it alone the last time.

    Else one that has the destination fail would take all with it.
    """
    last = registry.sendable(row.channel).retry_policy.attempts - 1
    if not row.failures:
        return batching.most
    return 1 if row.failures >= last else math.ceil(batching.most ** (1 - row.failures / last))


def _get_ready(lane: Lane, parcel: Parcel) -> None:
    if parcel.timer is not None:
        parcel.timer.cancel()
        parcel.timer = None
    if not parcel.is_ready:
        parcel.is_ready = True
        row, content = parcel.rows[0]
        lane.add(row, content, parcel.start_by, parcel)


def begin(lane: Lane, parcel: Parcel) -> None:
    """Let no more into a parcel, which is under way now."""
    if lane.parcels.get(parcel.key) is parcel:
        del lane.parcels[parcel.key]
    lane.gathered -= len(parcel)


def split(lane: Lane, parcel: Parcel) -> None:
    """Have the halves of a refused parcel go next, each in a request of its own."""
    for half in reversed(parcel.halves()):
        row, content = half.rows[0]
        lane.ready.appendleft((row, content, math.inf, None, half))
    lane.gathered += len(parcel)


def give_back(lane: Lane) -> list[Claimed]:
    """Take all parcels out of a lane that have not begun, and return their rows."""
    parcels = [parcel for *_, parcel in lane.ready if parcel is not None]
    lingering = [parcel for parcel in lane.parcels.values() if not parcel.is_ready]
    for parcel in lingering:
        if parcel.timer is not None:
            parcel.timer.cancel()
    lane.parcels.clear()
    lane.gathered = 0
    return [row for parcel in (*parcels, *lingering) for row, _ in parcel.rows]
