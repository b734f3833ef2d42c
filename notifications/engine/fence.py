"""Sends that can be stopped: the check and the start of the send are one step.

A stop (``notifications.engine.stop.cancel``) and the start of a revocable send contend for the same
row in notifications_outgoing. It is locked while nobody has it, the send is begun under that lock, and only
then is the row given a lease and the lock released. So a stop either gets the row first, and no send begins,
or it waits for the instant at which the send has begun, and is committed after that.

Rows of one lane are begun a batch at a time, under one transaction. A batch is open while sends of it may
begin; what it has not begun by the time it is closed stays pending.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from notifications.engine.finalise import Finished


class TooLate(Exception):
    """The batch of this send is closed, or its lock is lost: it may have been stopped, and must not begin."""


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
        """Note that the request goes out now, or anew; raises TooLate where it must not."""
        if self.batch.is_closed or not self.batch.holds_lock():
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
    """Sends that begin under one transaction, of which ``holds_lock`` tells whether it is still there."""

    def __init__(
        self,
        count: int,
        *,
        write: Callable[[Finished], None],
        clock: Callable[[], datetime],
        holds_lock: Callable[[], bool],
    ) -> None:
        self.fences = [Fence(self) for _ in range(count)]
        self.clock = clock
        self.holds_lock = holds_lock
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
        if self._unsettled:
            # Not wait_for, which forgets that it was cancelled where its time is just up.
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._all_settled.wait()
        return not self._unsettled

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
