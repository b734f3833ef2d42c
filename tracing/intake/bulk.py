"""Storing what a file holds while it is being read: day by day, whole days where the file is by time.

A day that is stored at once goes into its index from left to right, which is quicker and leaves no gaps.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

import numpy as np
from django.db import connection

from config import clock
from tracing.intake.records import Records
from tracing.intake.storing import Stored, interactions_store
from tracing.partitions import DAY_S

# Records that are held back for the rest of their day to come; some tens of bytes each.
HELD_MOST: Final = 1_500_000
# While one is being copied, the next is put into order.
THREADS: Final = 2


class Days:
    """Records by day (of Unix time), held until there are too many."""

    def __init__(self) -> None:
        self._held: defaultdict[int, list[Records]] = defaultdict(list)
        self._last_at: dict[int, int] = {}
        self._parts = 0

    def add(self, records: Records) -> None:
        self._parts += 1
        days = records.start_s // DAY_S
        for day in np.unique(days).tolist():
            self._held[day].append(records[np.flatnonzero(days == day)])
            self._last_at[day] = self._parts

    def overdue(self) -> Iterator[Records]:
        """Give out what is too much: the days that nothing came for the longest, the largest first."""
        while sum(map(self._count, self._held)) > HELD_MOST:
            yield self._taken(min(self._held, key=lambda day: (self._last_at[day], -self._count(day))))

    def rest(self) -> Iterator[Records]:
        while self._held:
            yield self._taken(min(self._held))

    def _count(self, day: int) -> int:
        return sum(map(len, self._held[day]))

    def _taken(self, day: int) -> Records:
        return Records.joined(self._held.pop(day))


class Storing:
    """Threads that store records, each with a connection of its own, closed at the end of the block."""

    def __init__(self) -> None:
        self.days: set[int] = set()
        self.stored = Stored(0, 0)
        self._threads = [ThreadPoolExecutor(1) for _ in range(THREADS)]
        self._under_way: deque[Future[Stored]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thread in self._threads:
            # Each closes the connection of its own thread.
            thread.submit(lambda: connection.close()).result()
            thread.shutdown()

    def put(self, records: Records) -> None:
        """Have records of one day stored, once an earlier one is done; raises what went wrong with that."""
        while len(self._under_way) >= THREADS:
            self._wait()
        thread = self._threads.pop(0)
        self._threads.append(thread)
        self._under_way.append(thread.submit(interactions_store, records, now=clock.now()))
        self.days.add(int(records.start_s[0]) // DAY_S)

    def finish(self) -> Stored:
        while self._under_way:
            self._wait()
        return self.stored

    def _wait(self) -> None:
        done = self._under_way.popleft().result()
        self.stored = Stored(self.stored.new + done.new, self.stored.known + done.known)
