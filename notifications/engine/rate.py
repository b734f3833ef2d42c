"""How many sends a second: a token bucket, in this worker.

A lane asks for no more than `Rate`: a bucket that workers share can take this one's place.
"""

from dataclasses import dataclass
from typing import Protocol

# What may go out at once after a pause, in seconds of the rate.
BURST_S = 0.1
# The last token is kept for what is revocable: an escalation waits behind no backlog.
KEPT_FOR_THE_FRONT = 1.0


class Rate(Protocol):
    """Permission to send; all times are seconds of one monotonic clock."""

    def ahead(self) -> int:
        """Return how many are worth claiming ahead."""

    def wait_s(self, now: float, *, front: bool) -> float:
        """Return the seconds until the next send may begin; 0 for now."""

    def room_at_the_front(self, now: float) -> int:
        """Return how many that go first may begin now."""

    def take(self, now: float) -> None:
        """Note that a send begins."""


@dataclass(slots=True)
class Bucket:
    """So many a second, evenly: a burst of a whole second's would be two in one second of the provider's."""

    per_s: float
    tokens: float = 0.0
    filled_at: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self._most

    @property
    def _most(self) -> float:
        return max(KEPT_FOR_THE_FRONT + 1, self.per_s * BURST_S)

    def ahead(self) -> int:
        return max(1, int(self.per_s))

    def wait_s(self, now: float, *, front: bool) -> float:
        self._fill(now)
        needed = 1.0 if front else 1.0 + KEPT_FOR_THE_FRONT
        return max(0.0, needed - self.tokens) / self.per_s

    def room_at_the_front(self, now: float) -> int:
        self._fill(now)
        return int(self.tokens)

    def take(self, now: float) -> None:
        self._fill(now)
        self.tokens -= 1

    def _fill(self, now: float) -> None:
        self.tokens = min(self._most, self.tokens + (now - self.filled_at) * self.per_s)
        self.filled_at = now
