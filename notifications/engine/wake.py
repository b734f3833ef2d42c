"""Telling every worker's sender to look now. Only a hint: who misses it is woken by the next sweep."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import structlog
from django.conf import settings
from django.db import transaction
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from notifications import hubs, queue

if TYPE_CHECKING:
    from notifications.engine.claim import Claimed
    from notifications.engine.content import Content

CHANNEL = "wake"
ORDINARY, REVOCABLE = b"ordinary", b"revocable"
log = structlog.get_logger(__name__)


class OnWake(Protocol):
    def __call__(self, *, revocable: bool) -> None: ...


class LocalSender(Protocol):
    """What the sender of this process does for a fan-out in it; each is called from another thread."""

    def has_room(self, count: int) -> bool:
        """Return whether it can take over deliveries of so many small alerts."""

    def take_over(self, rows: "Sequence[tuple[Claimed, Content]]") -> None:
        """Send rows that were born claimed."""


# The sender in this process, where there is one.
local: OnWake | None = None
sender: LocalSender | None = None
# So few deliveries are left to the sender of the process that made them: waking the others costs more.
FEW = 32
# Longest time to reach Redis, and for it to say nothing before it is asked whether it is there, in seconds.
SUBSCRIBE_S = 5.0


def publish(*, revocable: bool = True, deliveries: int | None = None) -> None:
    """Wake the senders now; a Redis that is away costs only the time until the next sweep.

    Args:
        revocable: whether revocable deliveries may be among what is due: they take a look of their own.
        deliveries: how many there are to send, if known.
    """
    if deliveries == 0:
        return
    if local is not None:
        local(revocable=revocable)
        if deliveries is not None and deliveries <= FEW:
            return
    queue.hint(CHANNEL, REVOCABLE if revocable else ORDINARY, failed="wake_failed")


def on_commit() -> None:
    """Wake all senders when the transaction under way is committed, or now if there is none."""
    transaction.on_commit(publish, robust=True)


async def listen(on_wake: OnWake) -> None:
    """Call ``on_wake`` at each wake-up, for ever; while Redis is away, the sweep's own timer has to do.

    Without the client's own timeouts: it keeps them by ``asyncio.wait_for``, which forgets that it was
    cancelled where it is just done (in Python 3.11), and this would go on listening.
    """
    while True:
        try:
            async with (
                aioredis.from_url(settings.REDIS_URL, socket_timeout=None) as redis,
                redis.pubsub() as subscription,
            ):
                async with asyncio.timeout(SUBSCRIBE_S):
                    await subscription.subscribe(queue.channel(CHANNEL))
                async for message in hubs.heard(subscription, within_s=SUBSCRIBE_S):
                    if message["type"] == "subscribe":
                        on_wake(revocable=True)  # for what was published while nobody listened
                    elif message["type"] == "message":
                        on_wake(revocable=message["data"] == REVOCABLE)
        except (RedisError, OSError) as error:
            log.warning("wake_channel_away", error=str(error))
            await asyncio.sleep(1)
