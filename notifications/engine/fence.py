"""Sends that can be stopped: the check and the start of the send are one step.

A stop (``notifications.engine.replay.cancel``) and the start of a revocable send contend for the same
row. The row is locked while pending, the send is begun under that lock, and only then is the row marked
as being sent and the lock released. So a stop either gets the row first, and no send begins, or it waits
for the instant at which the send has begun, and is committed after that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifications.engine.claim import LOCK_REVOCABLE, MARK_BEGUN, MAX_LANES, REVOCABLE_LANES, Claimed
from notifications.engine.database import Database

# Longest time for which a stop can be kept waiting by sends that are about to begin, in seconds.
BEGIN_WITHIN_S = 2.0
# Lanes that are begun side by side, each in a transaction of its own: a slow one delays itself only.
LANES_AT_ONCE = 4


@dataclass(slots=True)
class Fence:
    """One send under the lock: ``begun`` when its request goes out, ``open`` once that is committed."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)


Start = Callable[[Sequence[Claimed], Sequence[Fence]], Awaitable[list["asyncio.Task[None]"]]]


class Fencer:
    """Begins what is due and revocable. ``start`` is a coroutine function that makes one task per row;
    each task holds its outcome back until its fence is ``open``.
    """

    def __init__(self, parameters: dict[str, Any], start: Start) -> None:
        self._start = start
        self._look = Database(parameters)
        self._after = ""
        self.has_more_lanes = False
        self._workers = [Database(parameters) for _ in range(LANES_AT_ONCE)]
        self._free: asyncio.Queue[Database] = asyncio.Queue()
        for database in self._workers:
            self._free.put_nowait(database)

    async def due_lanes(self, now: datetime) -> list[str]:
        """Return lanes that have something due and revocable; goes on where the last look was cut short."""
        rows = await self._look.rows(
            REVOCABLE_LANES, {"now": now, "after": self._after, "max_lanes": MAX_LANES}
        )
        self.has_more_lanes = len(rows) >= MAX_LANES
        self._after = rows[-1][0] if self.has_more_lanes else ""
        return [lane for lane, due in rows if due]

    async def begin(self, lane: str, *, room: int, now: datetime, lease_until: datetime) -> int:
        """Begin up to ``room`` deliveries of a lane, each under its row's lock; returns how many."""
        database = await self._free.get()
        try:
            return await self._begin(database, lane, room, now, lease_until)
        finally:
            self._free.put_nowait(database)

    async def _begin(
        self, database: Database, lane: str, room: int, now: datetime, lease_until: datetime
    ) -> int:
        connection = await database.connection()
        fences: list[Fence] = []
        try:
            async with connection.transaction():
                cursor = await connection.execute(LOCK_REVOCABLE, {"lane": lane, "now": now, "room": room})
                rows = [Claimed._make(row) for row in await cursor.fetchall()]
                if not rows:
                    return 0
                fences = [Fence() for _ in rows]
                sends = await self._start(rows, fences)
                await asyncio.gather(*map(_until_begun, sends, fences))
                await connection.execute(
                    MARK_BEGUN, {"ids": [row.id for row in rows], "lease_until": lease_until}
                )
        finally:
            for fence in fences:
                fence.open.set()
        return len(rows)

    async def close(self) -> None:
        for database in (self._look, *self._workers):
            await database.close()


async def _until_begun(send: "asyncio.Task[None]", fence: Fence) -> None:
    """Wait until a send has begun or ended; one that has not begun in time is given up."""
    begun = asyncio.ensure_future(fence.begun.wait())
    await asyncio.wait({begun, send}, timeout=BEGIN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    if not fence.begun.is_set() and not send.done():
        send.cancel()
