"""Beginning what is due and revocable, each under its row's lock: see notifications.engine.fence."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from psycopg import AsyncConnection

from notifications.database import Away, Database, is_alive, run
from notifications.engine import inbox_items
from notifications.engine.allowed import Allowed
from notifications.engine.claim import (
    AHEAD,
    LOCK_REVOCABLE,
    MARK_BEGUN,
    MAX_LANES,
    REVOCABLE_LANES,
    REVOCABLE_SOON,
    Claimed,
    report_lost,
)
from notifications.engine.content import Content, Contents
from notifications.engine.fence import Batch
from notifications.engine.finalise import WITHHOLD, Finished, Ledger, count_finished, withholding
from notifications.engine.outcome import ending_of, withheld_of
from notifications.engine.pump import Pump

# For so long a batch goes on taking up what it has locked, in seconds; a stop may have to wait that out.
TAKE_UP_S = 0.15
# Longest time for which a stop can be kept waiting by sends that are about to begin, in seconds.
BEGIN_WITHIN_S = 2.0
# Lanes that are begun side by side, each in a transaction of its own: a slow one delays itself only.
LANES_AT_ONCE = 4
# Rows that a look ahead reads at most; where there are more, it walks the lanes.
SOON = 256


class Fencer:
    """Finds lanes in which something revocable is due, and begins it."""

    def __init__(
        self,
        parameters: dict[str, Any],
        contents: Contents,
        allowed: Allowed,
        pump: Pump,
        ledger: Ledger,
        clock: Callable[[], datetime],
    ) -> None:
        self._contents = contents
        self._allowed = allowed
        self._pump = pump
        self._ledger = ledger
        self._clock = clock
        self._look = Database(parameters)
        self._after = ""
        self.has_more_lanes = False
        #: When the next of what a look has seen is due, if nothing that it has seen is due before.
        self.next_due_at: datetime | None = None
        self._workers = [Database(parameters) for _ in range(LANES_AT_ONCE)]
        self._free: asyncio.Queue[Database] = asyncio.Queue()
        for database in self._workers:
            self._free.put_nowait(database)

    async def due_lanes(self, now: datetime) -> list[str]:
        """Return lanes that have something due and revocable; goes on where the last look was cut short."""
        rows = await self._look.rows(REVOCABLE_SOON, {"now": now, "horizon": now + AHEAD, "most": SOON})
        self.has_more_lanes = False
        self.next_due_at = min((due_at for _, due_at, _ in rows if due_at > now), default=None)
        if sum(count for _, _, count in rows) < SOON:
            return [lane for lane, due_at, _ in rows if due_at <= now]
        rows = await self._look.rows(
            REVOCABLE_LANES, {"now": now, "after": self._after, "max_lanes": MAX_LANES}
        )
        self.has_more_lanes = len(rows) >= MAX_LANES
        self._after = rows[-1][0] if self.has_more_lanes else ""
        return [lane for lane, due in rows if due]

    async def begin(self, lane: str, *, room: int, now: datetime) -> int:
        """Begin deliveries of a lane, so many at most; returns how many began, or ended by a limit."""
        database = await self._free.get()
        try:
            if lane == inbox_items.LANE:
                # They appear; a stop waits for their rows as for any other's.
                rows = await database.rows(inbox_items.APPEAR_DUE, {"now": now, "most": inbox_items.MOST})
                if rows:
                    appeared = [inbox_items.Appeared._make(row) for row in rows]
                    await asyncio.to_thread(inbox_items.announce, appeared)
                return len(rows)
            return await self._begin(database, lane, room, now)
        except Away:
            await self._look.close()  # which may still see, without being able to write
            raise
        finally:
            self._free.put_nowait(database)

    async def _begin(self, database: Database, lane: str, room: int, now: datetime) -> int:
        lease_until = now + timedelta(seconds=settings.LEASE_S)
        batch: Batch | None = None
        taken: list[Claimed] = []
        over: list[Claimed] = []
        withheld: list[Finished] = []
        try:
            async with database.used() as connection, connection.transaction():
                found = await run(connection, LOCK_REVOCABLE, {"lane": lane, "now": now, "room": room})
                locked = [Claimed._make(row) for row in found]
                over = [row for row in locked if row.is_over]
                live = [row for row in locked if not row.is_over]
                ready, withheld = await self._sorted(connection, live, now)
                if ready:
                    rows, contents = zip(*ready, strict=True)
                    holds_lock = partial(is_alive, connection)
                    batch = Batch(len(rows), write=self._ledger.add, clock=self._clock, holds_lock=holds_lock)
                    self._pump.take_up(rows, contents, batch)
                    await self._until_closed(batch)
                    taken = [row for row, fence in zip(rows, batch.fences, strict=True) if fence.taken]
                    begun = {"ids": [row.id for row in taken], "now": now, "lease_until": lease_until}
                    await run(connection, MARK_BEGUN, begun)
        finally:
            for row in over:
                self._ledger.add(ending_of(row, now=self._clock()))
            if batch is not None:
                self._pump.give_back(batch)
                batch.close()
                batch.write_down()
        report_lost(taken)
        count_finished(withheld)
        return len(taken) + len(withheld)

    async def _sorted(
        self, connection: AsyncConnection[Any], rows: Sequence[Claimed], now: datetime
    ) -> tuple[list[tuple[Claimed, Content | None]], list[Finished]]:
        """Return what is to be begun, with its contents, and what a limit keeps from it: that is ended."""
        contents = await self._contents.of(rows)
        reasons = await self._allowed.over(rows, contents, now)
        found = list(zip(rows, contents, reasons, strict=True))
        ready = [(row, content) for row, content, reason in found if not reason]
        withheld = [withheld_of(row, reason, now=now) for row, _, reason in found if reason]
        if withheld:
            await run(connection, WITHHOLD, withholding(withheld))
        return ready, withheld

    async def _until_closed(self, batch: Batch) -> None:
        """Wait until all that can be taken up at once has begun, and close the batch."""
        if not await batch.until_settled(TAKE_UP_S):
            batch.leave_out(self._pump.give_back(batch))
            await batch.until_settled(BEGIN_WITHIN_S)
        batch.close()

    async def close(self) -> None:
        for database in (self._look, *self._workers):
            await database.close()
