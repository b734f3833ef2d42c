"""Serves those who are in rooms: passes on what their partners say, and ends each call when it is over.

All of a process share one connection to Redis, on which signals come, and one to PostgreSQL, which is asked
every second, and when the next call is to end, which calls are on. Signals are not kept: whoever misses one
says again that they are there, and the pair begins anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
import structlog
from django.conf import settings

from config import clock
from dating.rooms import calls, signals
from notifications.database import Database, connection_parameters
from notifications.hubs import listen

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Between two questions which calls are on, and after one without an answer.
POLL_S: Final = 1.0
AGAIN_S: Final = 1.0
# What somebody has not taken yet; of more the connection is cut, and their page comes back.
WAITING_MOST: Final = 64
OVER, MOVED, STOPPING = "over", "moved", "stopping"
_HEARTBEAT: Final = b":\n\n"
log = structlog.get_logger(__name__)


def event(name: str, **data: Any) -> bytes:
    """Return an event as bytes of ``text/event-stream``."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))


def until_event(until: float | None) -> bytes:
    return event("until", until=until, now=clock.timestamp())


def end_event(why: str) -> bytes:
    return event("end", why=why)


class Place:
    """Somebody in a room, by one open page."""

    def __init__(self, seat: UUID, version: int, page: str, until: float | None) -> None:
        self.seat, self.version, self.page, self.until = seat, version, page, until
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MOST)
        self.tell(b"retry: 1000\n\n" + until_event(until))

    def tell(self, text: bytes) -> None:
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.end("")

    def end(self, why: str) -> None:
        """Make this the last that the page hears; without a reason it comes back."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        if why:
            self._waiting.put_nowait(end_event(why))
        self._waiting.put_nowait(None)

    async def write(self, send: Send) -> None:
        """Send what there is until the end; a client that takes nothing for too long is let go."""
        while True:
            try:
                async with asyncio.timeout(settings.STREAM_HEARTBEAT_S):
                    text = await self._waiting.get()
            except TimeoutError:
                text = _HEARTBEAT
            async with asyncio.timeout(settings.STREAM_STALL_S):
                body = {"type": "http.response.body", "body": text or b"", "more_body": text is not None}
                await send(body)
            if text is None:
                return


class Hub:
    """The places of one event loop; ``run`` must be running beside them."""

    def __init__(self) -> None:
        self._places: dict[UUID, Place] = {}
        self._has_come = asyncio.Event()
        self._is_stopping = False
        self._database = Database(connection_parameters())

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(listen(signals.CHANNEL, self._take))
                tasks.create_task(self._watch())
        finally:
            self.end_all()
            await self._database.close()

    async def serve(self, place: Place, start: Message, receive: Receive, send: Send) -> None:
        """Answer with a stream until the call is over, or the page is gone."""
        await send(start)
        if self._is_stopping:
            place.end("")
        else:
            before = self._places.get(place.seat)
            if before is not None:
                before.end("" if before.page == place.page else MOVED)
            self._places[place.seat] = place
            self._has_come.set()
        writing = asyncio.create_task(place.write(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._places.get(place.seat) is place:
                del self._places[place.seat]
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    def end_all(self) -> None:
        """The process is about to stop: the calls go on, and their pages find another process."""
        self._is_stopping = True
        for place in list(self._places.values()):
            place.end("")

    def _take(self, message: Message) -> None:
        if message["type"] != "message":
            return
        try:
            said = orjson.loads(message["data"])
            if place := self._places.get(UUID(str(said["to"]))):
                if signal := said.get("signal"):
                    place.tell(event("signal", **signal))
                elif said["page"] != place.page:
                    place.end(MOVED)
        except (ValueError, TypeError, KeyError):
            # Of a version that says other things: everybody's calls go on.
            log.warning("dating_signal_not_understood")

    async def _watch(self) -> None:
        """Ask every second which calls are on, and at the very time at which the next is to end."""
        while True:
            if not self._places:
                self._has_come.clear()
                await self._has_come.wait()
            ends = [place.until for place in self._places.values() if place.until is not None]
            left = min(ends, default=float("inf")) - clock.timestamp()
            await asyncio.sleep(min(POLL_S, max(left, 0.0) + 0.01))
            try:
                places = list(self._places.values())
                on = await calls.calls_on(self._database, [(place.seat, place.version) for place in places])
                for place in places:
                    if place.seat not in on:
                        self._leave(place)
                    elif on[place.seat] != place.until:
                        place.until = on[place.seat]
                        place.tell(until_event(place.until))
            except psycopg.Error as error:
                log.warning("dating_rooms_look_failed", error=type(error).__name__)
                # While nobody can be asked, what was known last counts.
                for place in list(self._places.values()):
                    if place.until is not None and place.until <= clock.timestamp():
                        self._leave(place)
                await asyncio.sleep(AGAIN_S)

    def _leave(self, place: Place) -> None:
        place.end(OVER)
        if self._places.get(place.seat) is place:
            del self._places[place.seat]


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
