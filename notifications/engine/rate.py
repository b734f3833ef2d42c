"""A lane's rate: which of its next sends are this worker's, and when each of them may begin.

All workers together keep to it: Redis hands out slices of the time to come (`engine/slices.py`). A worker
that has used its slice up asks for the next one; while no answer comes it keeps to its own part of the rate.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: What is handed out at once, in seconds of the rate; what is revocable may begin as much before its time.
SLICE_S = 0.25
#: What is late by up to this, in seconds, begins all the same, as far apart as it was to be: all at once
#: would be too many. What is later than that is given up.
LATE_S = 1.0
#: Timers are late by less than this, in seconds.
ON_TIME_S = 0.01
#: Between two questions while there is nothing to hand out, and while no answer has come, in seconds.
ASK_AGAIN_S = 0.05
#: For so long a worker keeps to its own part before it asks again, in seconds.
ALONE_S = 2.0


@dataclass(frozen=True, slots=True)
class Slice:
    """Sends that are this worker's: the first in so many seconds from now, then one every interval.

    A ``count`` of 0: ask again in ``wait_s``.
    """

    count: int
    wait_s: float
    interval_s: float


class Rate:
    """So many sends a second, by all workers together; all times are seconds of one monotonic clock.

    Args:
        ask: asks for the next slice; the answer comes by ``granted``, or ``unanswered`` says that none does.
    """

    def __init__(self, per_s: float, ask: Callable[[], object]) -> None:
        self.per_s = per_s
        #: Whether something waits that goes first.
        self.is_front_waiting = False
        self._ask = ask
        self._is_asking = False
        self._times: deque[float] = deque()
        self._last_at = self._ask_at = self._alone_until = 0.0
        self._workers = 1

    def ahead(self) -> int:
        """Return how many are worth claiming ahead."""
        return max(1, int(self.per_s))

    def wait_s(self, now: float, *, front: bool) -> float:
        """Return the seconds until the next send may begin, or until it is known when; 0 for now."""
        self._want(now, front=front)
        if not self._times:
            return max(ASK_AGAIN_S, self._ask_at - now)
        return max(0.0, self._times[0] - (SLICE_S if front else 0.0) - now)

    def room_at_the_front(self, now: float) -> int:
        """Return how many that go first may begin now."""
        self._want(now, front=True)
        return sum(at - SLICE_S <= now for at in self._times)

    def take(self, now: float) -> None:
        """Note that a send begins."""
        late_s = now - self._times.popleft()
        if late_s > ON_TIME_S:
            self._times = deque(at + late_s for at in self._times)

    def granted(self, now: float, part: Slice) -> None:
        """Take what was asked for."""
        self._is_asking = self.is_front_waiting = False
        if not part.count:
            self._ask_at = now + max(part.wait_s, ASK_AGAIN_S)
            return
        times = [now + part.wait_s + number * part.interval_s for number in range(part.count)]
        self._times = deque(sorted([*self._times, *times]))
        self._last_at = self._times[-1]

    def unanswered(self, now: float, *, workers: int) -> None:
        """Keep to this worker's own part for a while, as one of so many."""
        self._workers, self._alone_until = workers, now + ALONE_S
        self._grant_own_part(now)

    def _want(self, now: float, *, front: bool) -> None:
        """See to it that there is a next send."""
        if self._times and now - self._times[-1] > LATE_S:
            self._times.clear()
        if self._times:
            return
        self.is_front_waiting = self.is_front_waiting or front
        if self._is_asking:
            return
        if now < self._alone_until:
            self._grant_own_part(now)
        elif front or now >= self._ask_at:
            self._is_asking = True
            self._ask()

    def _grant_own_part(self, now: float) -> None:
        interval_s = self._workers / self.per_s
        first_at = max(now, self._last_at + interval_s)
        self.granted(now, Slice(max(1, int(SLICE_S / interval_s)), first_at - now, interval_s))
