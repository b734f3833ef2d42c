"""Serves every open stream of a web process, with one connection to Redis and one to PostgreSQL for all.

An announcement says whose inbox to look into; many are looked into at once, by one statement. Since the
numbers of an inbox grow in the order of the commits, "what comes after the last one sent" misses nothing and
repeats nothing, whatever was announced, in whichever order it came, and whether it came at all.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog
from django.conf import settings

from config import clock
from config.live import Receive, Send
from notifications.database import Database, connection_parameters
from notifications.hubs import listen
from notifications.inbox import events, live, look
from notifications.inbox.look import News, Question
from notifications.inbox.stream import STALLED, STOPPING, TOO_MANY, Listener, Message, Stream

# People that one statement looks after.
BATCH: Final = 100
# What is written to one stream at once, unless a single item is larger: a slow reader holds no more of it.
MOST_BYTES: Final = 65_536
# Between two tries to reach PostgreSQL, and between two looks while nobody can announce anything.
AGAIN_S: Final = 1.0
UNANNOUNCED_S: Final = 2.0
# The pulse is felt at most so often; heartbeats are as late as this.
TICK_S: Final = 1.0
log = structlog.get_logger(__name__)


class Hub:
    """The streams of one event loop; ``run`` must be running beside them."""

    def __init__(self) -> None:
        self.count = 0
        self.by_address: Counter[str] = Counter()
        self._people: dict[UUID, list[Stream]] = {}
        # Whose inboxes to look into; a dictionary for its order.
        self._wanted: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._hears = False
        self._is_stopping = False
        self._database = Database(connection_parameters())

    async def run(self) -> None:
        """Look after the streams until cancelled, and end them."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(listen(live.CHANNEL, self._take))
                for work in (self._look, self._check, self._pulse):
                    tasks.create_task(work())
        finally:
            self.end_all()
            await self._database.close()

    # --- Streams come and go ---------------------------------------------------------------------------

    async def serve(self, listener: Listener, start: Message, receive: Receive, send: Send) -> None:
        """Answer with a stream until it is ended, or its client leaves."""
        await send(start)
        await send({"type": "http.response.body", "body": events.retry(), "more_body": not self._is_stopping})
        if self._is_stopping:
            return
        stream = Stream(listener, send, self.want)
        user_id, address = listener.user_id, listener.address
        mine = self._people.setdefault(user_id, [])
        for oldest in mine[: max(0, len(mine) + 1 - settings.STREAMS_PER_PERSON)]:
            self._end(oldest, TOO_MANY)
        mine.append(stream)
        self.count += 1
        self.by_address[address] += 1
        self.want(user_id)
        try:
            await stream.last(receive)
        finally:
            mine.remove(stream)
            self.count -= 1
            self.by_address[address] -= 1
            if not self.by_address[address]:
                del self.by_address[address]
            if not mine:
                del self._people[user_id]
        await stream.close(receive)

    def _end(self, stream: Stream, why: str) -> None:
        if not stream.ended:
            log.info("stream_ended", user=str(stream.listener.user_id), why=why)
            stream.end(why)

    def end_all(self) -> None:
        """The process is about to stop: let every client go, to find another process."""
        self._is_stopping = True
        for stream in self._streams():
            stream.end(STOPPING)

    def _streams(self) -> list[Stream]:
        return [stream for mine in self._people.values() for stream in mine]

    # --- Looking ---------------------------------------------------------------------------------------

    def want(self, user_id: UUID) -> None:
        """Look into this inbox soon, if anyone listens."""
        if user_id in self._people:
            self._wanted[user_id] = None
            self._wake.set()

    def _want_all(self) -> None:
        for user_id in self._people:
            self.want(user_id)

    async def _look(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._wanted:
                batch = list(islice(self._wanted, BATCH))
                for user_id in batch:
                    del self._wanted[user_id]
                try:
                    await self._look_into(batch)
                except psycopg.Error as error:
                    log.warning("inbox_look_failed", people=len(batch), error=type(error).__name__)
                    await asyncio.sleep(AGAIN_S)
                    # A crash can have undone what was told last: everyone's place is to be found anew.
                    self._want_all()

    async def _look_into(self, people: Sequence[UUID]) -> None:
        asked: dict[Question, list[Stream]] = {}
        for user_id in people:
            for stream in self._people.get(user_id, ()):
                if not stream.is_busy():
                    asked.setdefault(Question(user_id, stream.after), []).append(stream)
        if asked:
            answers = await look.news(self._database, list(asked))
            # Asked after the news: whoever logged out before something came is not told of it.
            alive = await self._alive([stream for streams in asked.values() for stream in streams])
            for streams, answer in zip(asked.values(), answers, strict=True):
                for stream in streams:
                    if _may_listen(stream.listener, answer.credentials, alive):
                        _tell(stream, answer)
                    else:
                        self._end(stream, "logged_out")

    async def _alive(self, streams: Sequence[Stream]) -> set[str]:
        """Return which of the log-ins that these streams hang on are not over."""
        sessions = [each.listener.log_in for each in streams if each.listener.expires_at is None]
        of_tokens = [each.listener.log_in for each in streams if each.listener.expires_at is not None]
        return await look.alive(self._database, sessions=sessions, of_tokens=of_tokens, now=clock.now())

    # --- Hearing ---------------------------------------------------------------------------------------

    def _take(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "subscribe":
                self._hears = True
                self._want_all()  # for what was announced while nobody listened
            case "message":
                people = live.people_of(message["data"])
                if people is None:
                    self._want_all()
                for user_id in people or ():
                    self.want(user_id)
            case "away":
                self._hears = False

    # --- Checking --------------------------------------------------------------------------------------

    async def _check(self) -> None:
        """Now and then, ask about everybody: what was not announced, and whether they may still listen."""
        due_at = time.monotonic() + settings.STREAM_HEARTBEAT_S
        while True:
            await asyncio.sleep(min(max(due_at - time.monotonic(), 0.0), UNANNOUNCED_S))
            if self._hears and time.monotonic() < due_at:
                continue
            due_at = time.monotonic() + settings.STREAM_HEARTBEAT_S
            waiting = iter(list(self._people))
            while batch := list(islice(waiting, BATCH)):
                try:
                    await self._check_on(batch)
                except psycopg.Error as error:
                    log.warning("inbox_check_failed", people=len(batch), error=type(error).__name__)
                    break

    async def _check_on(self, people: Sequence[UUID]) -> None:
        streams = [stream for user_id in people for stream in self._people.get(user_id, ())]
        states = await look.states(self._database, people)
        alive = await self._alive(streams)
        for stream in streams:
            state = states.get(stream.listener.user_id)
            if state is None or not _may_listen(stream.listener, state.credentials, alive):
                self._end(stream, "logged_out")
            elif (state.last_number, state.unread) != (stream.after, stream.unread):
                self.want(stream.listener.user_id)

    async def _pulse(self) -> None:
        """Keep silent streams alive, and end those whose token has expired or whose client is stuck."""
        while True:
            await asyncio.sleep(min(TICK_S, settings.STREAM_HEARTBEAT_S / 4))
            streams = iter(self._streams())
            while some := list(islice(streams, BATCH)):
                for stream in some:
                    tick = time.monotonic()
                    expires_at = stream.listener.expires_at
                    if expires_at is not None and expires_at <= time.time():
                        self._end(stream, "expired")
                    elif stream.stalled_for(tick) > settings.STREAM_STALL_S:
                        self._end(stream, STALLED)
                    elif stream.is_silent_for(settings.STREAM_HEARTBEAT_S, tick):
                        stream.write(events.HEARTBEAT)
                await asyncio.sleep(0)  # let others in between


def _may_listen(listener: Listener, credentials: bytes | None, alive: set[str]) -> bool:
    return credentials == listener.credentials and listener.log_in in alive


def _tell(stream: Stream, answer: News) -> None:
    """Tell a stream what is new to it, if it is still there and nothing else is just being written."""
    if stream.ended or stream.is_busy():
        return
    told = []
    if stream.unread is None:
        # From a number that was never reached, nothing would ever be heard of.
        stream.after = answer.last_number if stream.after is None else min(stream.after, answer.last_number)
        told.append(events.unread(answer.unread, at=stream.after))
    elif stream.unread != answer.unread:
        told.append(events.unread(answer.unread))
    stream.unread = answer.unread
    notices, stream.after = answer.part(MOST_BYTES)
    told += notices
    if told:
        stream.write(b"".join(told))
        if stream.after < answer.last_number:
            stream.is_busy()  # to look again after it
