"""Sends that can be stopped: the check and the start of the send are one step.

A stop (``notifications.engine.replay.cancel``) and the start of a revocable send contend for the same
row in notifications_outgoing. It is locked while nobody has it, the send is begun under that lock, and only
then is the row given a lease and the lock released. So a stop either gets the row first, and no send begins,
or it waits for the instant at which the send has begun, and is committed after that.

Rows of one lane are begun a batch at a time, under one transaction. A batch is open while sends of it may
begin; what it has not begun by the time it is closed stays pending.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from notifications.engine import inbox_items
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
from notifications.engine.database import Away, Database, run
from notifications.engine.finalise import Finished

# For so long a batch goes on taking up what it has locked, in seconds; a stop may have to wait that out.
TAKE_UP_S = 0.15
# Longest time for which a stop can be kept waiting by sends that are about to begin, in seconds.
BEGIN_WITHIN_S = 2.0
# Lanes that are begun side by side, each in a transaction of its own: a slow one delays itself only.
LANES_AT_ONCE = 4
# Rows that a look ahead reads at most; where there are more, it walks the lanes.
SOON = 256


class TooLate(Exception):
    """The batch of this send is closed: it may have been stopped, and must not begin."""


class Fence:
    """One send of a batch: ``begin`` is called at the instant when its request goes out."""

    __slots__ = ("batch", "begun_at", "taken", "task")

    def __init__(self, batch: "Batch") -> None:
        self.batch = batch
        #: Whether the send was taken up, so that an outcome of it will come.
        self.taken = False
        self.begun_at: datetime | None = None
        #: What sends it, while that is under way.
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Note that the request goes out now; again, where it has to begin anew.

        Raises:
            TooLate: it must not.
        """
        if self.batch.is_closed:
            raise TooLate
        if self.begun_at is None:
            self.begun_at = self.batch.clock()
            self.batch.settled()

    def end(self, finished: Finished) -> None:
        """Hand in the outcome, which is written down once the batch is committed."""
        self.give_up()
        self.batch.hand_in(finished)

    def give_up(self) -> None:
        """Note that it is over, with an outcome or without."""
        self.task = None
        if self.begun_at is None:
            self.batch.settled()


class Batch:
    """Sends that begin under one transaction."""

    def __init__(
        self, count: int, *, write: Callable[[Finished], None], clock: Callable[[], datetime]
    ) -> None:
        self.fences = [Fence(self) for _ in range(count)]
        self.clock = clock
        self.is_closed = False
        self._write = write
        self._unsettled = count
        self._all_settled = asyncio.Event()
        self._held: list[Finished] | None = []

    def settled(self) -> None:
        """Note that one has begun, or ended without."""
        self._unsettled -= 1
        if not self._unsettled:
            self._all_settled.set()

    async def until_settled(self, timeout_s: float) -> bool:
        """Wait until all have begun or ended; false where the time ran out."""
        if not self._unsettled:
            return True
        try:
            # Not wait_for, which forgets that it was cancelled where its time is just up.
            async with asyncio.timeout(timeout_s):
                await self._all_settled.wait()
        except TimeoutError:
            return False
        return True

    def leave_out(self, count: int) -> None:
        """Wait no longer for so many that were never taken up: they stay pending."""
        for _ in range(count):
            self.settled()

    def close(self) -> None:
        """Let nothing more begin, and give up what is still about to."""
        self.is_closed = True
        for fence in self.fences:
            if fence.task is not None and fence.begun_at is None:
                fence.task.cancel()

    def hand_in(self, finished: Finished) -> None:
        if self._held is None:
            self._write(finished)
        else:
            self._held.append(finished)

    def write_down(self) -> None:
        """Write down what was handed in, now that the rows are marked, and the rest as it comes."""
        held, self._held = self._held or [], None
        for finished in held:
            self._write(finished)


class Sends(Protocol):
    """What the sender does for the fence."""

    def take_up(self, rows: Sequence[Claimed]) -> Awaitable[Batch]:
        """Take up the rows of a lane: their sends begin as the lane has room."""

    def give_back(self, batch: Batch) -> int:
        """Take nothing more of a batch up; returns how many were not."""

    def end(self, rows: Sequence[Claimed]) -> None:
        """End what is over, and not to be sent any more."""


class Fencer:
    """Begins what is due and revocable."""

    def __init__(self, parameters: dict[str, Any], sends: Sends) -> None:
        self._sends = sends
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
        return await self._walk(now)

    async def _walk(self, now: datetime) -> list[str]:
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
            if lane == inbox_items.LANE:
                return await _appear(database, now)
            return await self._begin(database, lane, room, now, lease_until)
        except Away:
            await self._look.close()  # which may still see, without being able to write
            raise
        finally:
            self._free.put_nowait(database)

    async def _begin(
        self, database: Database, lane: str, room: int, now: datetime, lease_until: datetime
    ) -> int:
        batch: Batch | None = None
        taken: list[Claimed] = []
        over: list[Claimed] = []
        try:
            async with database.used() as connection, connection.transaction():
                found = await run(connection, LOCK_REVOCABLE, {"lane": lane, "now": now, "room": room})
                locked = [Claimed._make(row) for row in found]
                over = [row for row in locked if row.is_over]
                rows = [row for row in locked if not row.is_over]
                if not rows:
                    return 0
                batch = await self._sends.take_up(rows)
                await self._until_closed(batch)
                taken = [row for row, fence in zip(rows, batch.fences, strict=True) if fence.taken]
                begun = {"ids": [row.id for row in taken], "now": now, "lease_until": lease_until}
                await run(connection, MARK_BEGUN, begun)
        finally:
            self._sends.end(over)
            if batch is not None:
                self._sends.give_back(batch)
                batch.close()
                batch.write_down()
        report_lost(taken)
        return len(taken)

    async def _until_closed(self, batch: Batch) -> None:
        """Wait until all that can be taken up at once has begun, and close the batch."""
        if not await batch.until_settled(TAKE_UP_S):
            batch.leave_out(self._sends.give_back(batch))
            await batch.until_settled(BEGIN_WITHIN_S)
        batch.close()

    async def close(self) -> None:
        for database in (self._look, *self._workers):
            await database.close()


async def _appear(database: Database, now: datetime) -> int:
    """Make the inbox items that are due appear; a stop waits for their rows as for any other's."""
    rows = await database.rows(inbox_items.APPEAR_DUE, {"now": now, "most": inbox_items.MOST})
    if rows:
        appeared = [inbox_items.Appeared._make(row) for row in rows]
        await asyncio.to_thread(inbox_items.announce, appeared)
    return len(rows)
