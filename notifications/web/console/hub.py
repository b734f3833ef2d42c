"""Keeps every open console of a web process up to date: what all see alike is read and rendered once.

It looks again and again while anyone watches, and rests longer than it has worked: panels are made of a dozen
tables and counters, and no announcement could tell of all that changes them.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import close_old_connections, connection

from accounts.models import User
from config import clock
from config.live import Receive, Send
from config.outages import is_outage
from notifications.inbox import events
from notifications.inbox.look import credentials_of
from notifications.inbox.stream import STALLED, STOPPING, TOO_MANY, Listener, Message, Stream
from notifications.web.console.showing import Shown, View, event_of, shown_to

# From the beginning of one look to that of the next; and of the time, a look takes one part in so many.
TICK_S: Final = 0.4
SHARE: Final = 4
# Between two tries to reach PostgreSQL.
AGAIN_S: Final = 1.0
log = structlog.get_logger(__name__)


class Watcher(Stream):
    """An open console; ``have`` is the digests of the panels that it shows."""

    __slots__ = ("have", "view")

    def __init__(self, listener: Listener, view: View, have: Collection[str], send: Send) -> None:
        super().__init__(listener, send, on_ready=lambda user_id: None)  # the next look will do
        self.view = view
        self.have = frozenset(have)


class Hub:
    """The consoles of one event loop; ``run`` must be running beside them."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._is_watched = asyncio.Event()
        self._is_stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console")

    @property
    def count(self) -> int:
        return len(self._watchers)

    async def run(self) -> None:
        """Look after the consoles until cancelled, and end them."""
        try:
            while True:
                await self._is_watched.wait()
                began = time.monotonic()
                try:
                    await self._look()
                except Exception as error:
                    if not is_outage(error):
                        raise
                    log.warning("console_look_failed", error=type(error).__name__)
                    await asyncio.sleep(AGAIN_S)
                took = time.monotonic() - began
                await asyncio.sleep(max(TICK_S - took, took * (SHARE - 1)))
        finally:
            self.end_all()
            await asyncio.get_running_loop().run_in_executor(self._thread, lambda: connection.close())
            self._thread.shutdown()

    async def serve(
        self,
        listener: Listener,
        view: View,
        have: Collection[str],
        start: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer with a stream until it is ended, or its client leaves."""
        await send(start)
        await send({"type": "http.response.body", "body": events.retry(), "more_body": not self._is_stopping})
        if self._is_stopping:
            return
        watcher = Watcher(listener, view, have, send)
        mine = [each for each in self._watchers if each.listener.user_id == listener.user_id]
        for oldest in mine[: max(0, len(mine) + 1 - settings.STREAMS_PER_PERSON)]:
            oldest.end(TOO_MANY)
        self._watchers.append(watcher)
        self._is_watched.set()
        try:
            await watcher.last(receive)
        finally:
            self._watchers.remove(watcher)
            if not self._watchers:
                self._is_watched.clear()
        await watcher.close(receive)

    def end_all(self) -> None:
        """The process is about to stop: let every client go, to find another process."""
        self._is_stopping = True
        for watcher in self._watchers:
            watcher.end(STOPPING)

    async def _look(self) -> None:
        watchers = list(self._watchers)
        views = {watcher.view for watcher in watchers}
        asked = [watcher.listener for watcher in watchers]
        loop = asyncio.get_running_loop()
        shown, allowed = await loop.run_in_executor(self._thread, _looked, views, asked)
        event = cache(event_of)
        now = time.monotonic()
        for watcher in watchers:
            if watcher.listener not in allowed:
                log.info("console_ended", user=str(watcher.listener.user_id))
                watcher.end("logged_out")
            elif watcher.stalled_for(now) > settings.STREAM_STALL_S:
                watcher.end(STALLED)
            elif not watcher.ended and not watcher.is_busy():
                self._tell(watcher, shown[watcher.view], event)

    def _tell(self, watcher: Watcher, shown: Sequence[Shown], event: Callable[[Shown], bytes]) -> None:
        news = b"".join(event(each) for each in shown if each.digest not in watcher.have)
        watcher.have = frozenset(each.digest for each in shown)
        if news:
            watcher.write(news)
        elif watcher.is_silent_for(settings.STREAM_HEARTBEAT_S, time.monotonic()):
            watcher.write(events.HEARTBEAT)


def _looked(
    views: Collection[View], listeners: Sequence[Listener]
) -> tuple[Mapping[View, list[Shown]], set[Listener]]:
    """Return what is shown, and who may watch: asked after it, so that whoever may not sees nothing new."""
    close_old_connections()
    shown = {view: shown_to(view) for view in views}
    keys = [listener.log_in for listener in listeners]
    alive = Session.objects.filter(session_key__in=keys, expire_date__gt=clock.now())
    sessions = set(alive.values_list("session_key", flat=True))
    staff = User.objects.filter(pk__in={each.user_id for each in listeners}, is_active=True, is_staff=True)
    credentials = {user.pk: credentials_of(user) for user in staff.only("password", "epoch")}
    return shown, {
        each
        for each in listeners
        if each.log_in in sessions and credentials.get(each.user_id) == each.credentials
    }
