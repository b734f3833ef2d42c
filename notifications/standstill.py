"""Whether senders do what they are there for, told by what they leave undone."""

from dataclasses import dataclass
from typing import Final

from redis import Redis

from config import clock
from notifications import metrics
from notifications.selectors import Backlog

#: Due for longer than this, with no look for anything of its kind for as long, in seconds. Every second the
#: sweep has somebody look, also while the circuit breaker keeps all of it back.
UNTAKEN_S: Final = 30.0
#: A lease that has been over for longer than this: each sweep makes what has lost its lease due again.
LOST_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Standstill:
    """How many deliveries nobody looks after."""

    #: They are due, and no sender looks for them.
    untaken: int
    #: They are being sent for longer than their lease, and no sweep makes them due again.
    lost: int


def standstill(backlog: Backlog, redis: Redis) -> Standstill:
    """Tell what waits for a destination from what waits for us."""
    looked_at, now = metrics.looked_at(redis), clock.timestamp()
    untaken = sum(
        waiting.count
        for what, waiting in ((metrics.ORDINARY, backlog.ordinary), (metrics.REVOCABLE, backlog.revocable))
        if waiting.oldest_age_s > UNTAKEN_S and now - looked_at.get(what, 0.0) > UNTAKEN_S
    )
    return Standstill(untaken, backlog.lost.count if backlog.lost.oldest_age_s > LOST_S else 0)
