"""What the loops of a sender wait for, and whatever tells them to look."""

import asyncio
from collections.abc import Callable
from datetime import datetime


class Wakeups:
    """Says that there may be something to claim or to begin; of one event loop."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.claims, self.fenced = asyncio.Event(), asyncio.Event()
        #: Whether lanes are to be looked for, and from when on (monotonic) at everything that is due in them.
        self.looking, self.look_at_all_at = True, 0.0

    def wake(self, *, revocable: bool) -> None:
        """Look for what is due now; for what is revocable too, or not."""
        self.looking = True
        self.claims.set()
        if revocable:
            self.fenced.set()

    def look_now(self) -> None:
        """Look at everything, as at a start."""
        self.look_at_all_at = 0.0
        self.wake(revocable=True)

    def look_at(self, due_at: datetime) -> None:
        """Look again when a retry is due, more exactly than the sweep's second."""
        delay_s = (due_at - self._clock()).total_seconds()
        asyncio.get_running_loop().call_later(max(0.0, delay_s) + 0.001, self.look_now)
