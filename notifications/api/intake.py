"""Plain alerts on a way of their own: past the middleware, and together with those that come meanwhile.

While a group's statement runs and the disk writes, what arrives waits, and is the next group: so many alerts
share what each would cost alone, and one that comes alone waits for nobody.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

import structlog
from django.conf import settings

from config import clock
from config.postgresql.base import set_session
from notifications.api import plain
from notifications.services.alerts import Posted, alerts_accept_by_key

log = structlog.get_logger(__name__)

#: Where an alert can be posted.
PATHS: Final = tuple(
    path + slash
    for path in ("/api/v1/alerts", "/webhooks/alerts", "/webhook/notifications")
    for slash in ("", "/")
)
# So many of those that wait are stored at once.
MOST: Final = 64
# Another's lock keeps a whole group for no longer than this; then each alert goes the long way by itself.
LOCK_TIMEOUT_S: Final = 0.1


class Waiting(NamedTuple):
    asked: tuple[Posted, str]
    answer: "asyncio.Future[bytes | None]"


class Intake:
    """Stores plain alerts in groups, in one thread: a second one would cost more than it gains."""

    def __init__(self) -> None:
        # None ends the thread.
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, once it has answered."""
        self._waiting.put(None)
        self._thread.join()

    async def __call__(self, content_type: bytes, authorization: bytes, body: bytes) -> bytes | None:
        """Accept an alert; returns the body of a 201, or None where the long way is to answer."""
        if not self._thread.is_alive():  # a server that tells of no start, or the end
            return None
        asked = plain.asked_of(content_type.decode("latin-1"), authorization.decode("latin-1"), body)
        if asked is None:
            return None
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.put(Waiting(asked, answer))
        return await answer

    def _run(self) -> None:
        own = set_session(
            statement_timeout=f"{settings.WEB_STATEMENT_TIMEOUT_S}s",
            lock_timeout=f"{LOCK_TIMEOUT_S}s",
            plan_cache_mode="force_generic_plan",
        )
        while group := self._group():
            contents: list[bytes | None] = [None] * len(group)
            try:
                accepted = alerts_accept_by_key(posted=[waiting.asked for waiting in group], now=clock.now())
                contents = [plain.content_of(alert) if alert else None for alert in accepted]
            except Exception:  # whatever it is, the long way says so
                log.exception("intake_failed", alerts=len(group))
                accepted = []
            group[0].answer.get_loop().call_soon_threadsafe(_settle, group, contents)
            for key in {alert.key.pk: alert for alert in accepted if alert}.values():
                plain.note_use(key)
        own.close()

    def _group(self) -> list[Waiting]:
        """Return whatever waits; nothing is the end."""
        first = self._waiting.get()
        if first is None:
            return []
        group = [first]
        with suppress(Empty):
            while len(group) < MOST:
                if (another := self._waiting.get_nowait()) is None:
                    self._waiting.put(None)  # for the next time
                    break
                group.append(another)
        return group


def _settle(group: Sequence[Waiting], contents: Sequence[bytes | None]) -> None:
    for waiting, content in zip(group, contents, strict=True):
        if not waiting.answer.done():  # or its client has gone
            waiting.answer.set_result(content)
