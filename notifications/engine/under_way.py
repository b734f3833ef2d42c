"""The sends under way in one event loop, and an end to those that outlast their time."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

# Channels keep to their own time limits; one that outlasts it by so much is stopped, by a look so often.
GRACE_S, WATCH_S = 1.0, 0.25


class UnderWay:
    """Tasks that must end before the loop may. A timer for each send would cost more than one look at all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._overdue_at: dict[asyncio.Task[None], float] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def limit(self, task: asyncio.Task[None], seconds: float) -> None:
        """Cancel a task so many seconds from now, unless the limit is lifted before."""
        self._overdue_at[task] = time.monotonic() + seconds + GRACE_S

    def lift(self, task: asyncio.Task[None]) -> None:
        self._overdue_at.pop(task, None)

    async def watch_forever(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now = time.monotonic()
            for task, overdue_at in list(self._overdue_at.items()):
                if now > overdue_at:
                    task.cancel()

    async def finish(self, timeout_s: float) -> None:
        """Wait until all have ended, but no longer than this."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.lift(task)
