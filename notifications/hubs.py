"""What hears Redis' announcements, and what the hubs of streams share: there is one for each event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from django.conf import settings
from redis import asyncio as aioredis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from notifications import queue

# Between two tries to reach Redis.
AGAIN_S: Final = 1.0
log = structlog.get_logger(__name__)


class Hub(Protocol):
    async def run(self) -> None:
        """Look after the streams until cancelled, and end them."""

    def end_all(self) -> None:
        """Let every client go, and take no more."""


AHub = TypeVar("AHub", bound=Hub)


class Hubs(Generic[AHub]):
    """The hubs of a process, each made with its first stream; more than one only where tests run servers."""

    def __init__(self, make: Callable[[], AHub]) -> None:
        self._make = make
        self._running: dict[asyncio.AbstractEventLoop, tuple[AHub, asyncio.Task[None]]] = {}

    def all(self) -> list[AHub]:
        """Return those of every loop; from any thread."""
        return [hub for hub, _ in list(self._running.values())]

    def of_this_loop(self) -> AHub:
        loop = asyncio.get_running_loop()
        if loop not in self._running:
            hub = self._make()
            self._running[loop] = hub, loop.create_task(self._run(loop, hub))
        return self._running[loop][0]

    def end_all(self) -> None:
        """Let every client go, and take no more, as the process is about to stop; on the loop that serves."""
        if found := self._running.get(asyncio.get_running_loop()):
            found[0].end_all()

    async def stop(self) -> None:
        """End what is left, and close the connections."""
        if found := self._running.get(asyncio.get_running_loop()):
            found[1].cancel()
            await asyncio.wait([found[1]])

    async def _run(self, loop: asyncio.AbstractEventLoop, hub: AHub) -> None:
        try:
            await hub.run()
        except Exception:
            # Its streams have been ended; they come back, to another.
            log.exception("hub_failed", hub=type(hub).__module__)
        finally:
            del self._running[loop]


async def listen(name: str, take: Callable[[Mapping[str, Any]], None]) -> None:
    """Call ``take`` with what comes on a channel of Redis, for ever, whether Redis is there or not.

    Args:
        name: of the channel, without the prefix.
        take: gets redis-py's messages, of type ``subscribe`` (from now on all is heard), ``message``, and
            ``away`` (nothing is heard until the next ``subscribe``).
    """
    while True:
        try:
            await _hear(queue.channel(name), take)
        except (RedisError, OSError) as error:
            log.warning("announcements_away", channel=name, error=type(error).__name__)
        take({"type": "away"})
        await asyncio.sleep(AGAIN_S)


async def _hear(channel: str, take: Callable[[Mapping[str, Any]], None]) -> None:
    # Without retries, so that no outage goes unnoticed; without the client's own timeouts, which make it
    # forget at times that it was cancelled (see notifications.engine.wake).
    client = aioredis.from_url(settings.REDIS_URL, retry=Retry(NoBackoff(), 0), socket_timeout=None)
    async with client as redis, redis.pubsub() as subscription:
        async with asyncio.timeout(settings.STREAM_HEARTBEAT_S):
            await subscription.subscribe(channel)
        async for message in heard(subscription, within_s=settings.STREAM_HEARTBEAT_S):
            take(message)


async def heard(subscription: PubSub, *, within_s: float) -> AsyncIterator[Mapping[str, Any]]:
    """Yield redis-py's messages of a subscription; where none comes for so long, Redis is asked for one.

    Raises:
        ConnectionError: Redis does not answer: behind a line that went dead, nothing would ever be heard.
    """
    is_asked = False
    while True:
        message = await subscription.get_message(timeout=within_s)
        if message is not None:
            yield message
        elif is_asked:
            raise ConnectionError("Redis no longer answers")
        else:
            await subscription.ping()
        is_asked = message is None
