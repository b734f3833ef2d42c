"""One destination's share of a worker: how many sends at once, and whether it is worth trying at all."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

START_WIDTH = 16
MAX_PREFETCH = 512
# Room is not worth a claim below this, while sends are under way that will make more of it.
MIN_CLAIM = 256


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: opens after lasting failure, lets single probes through, closes on a success.

    A short outage never opens it, so that the retry policy alone decides there; see docs/adr/0005.
    All times are seconds of one monotonic clock.
    """

    failures_to_open: int
    open_after_s: float
    probe_s: float
    probe_max_s: float
    failures: int = 0
    failing_since: float = 0.0
    open_until: float | None = None
    wait_s: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.open_until is not None

    def succeeded(self) -> None:
        self.failures, self.open_until, self.wait_s = 0, None, 0.0

    def failed(self, now: float) -> None:
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        lasting = now - self.failing_since >= self.open_after_s
        if self.is_open or (self.failures >= self.failures_to_open and lasting):
            self.wait_s = min(self.wait_s * 2 or self.probe_s, self.probe_max_s)
            self.open_until = now + self.wait_s

    def probes(self, now: float) -> int | None:
        """Return how many sends may be under way: None for no limit, else 0 or (a probe) 1."""
        if self.open_until is None:
            return None
        return 1 if now >= self.open_until else 0


@dataclass(slots=True)
class Lane:
    """What one worker has of one destination.

    ``width``, the number of sends at once, starts small, grows by one with each success and halves when
    the destination stalls (additive increase, multiplicative decrease, as in TCP): a thousand hung
    destinations can't fill the worker. ``prefetch`` more may be claimed ahead, by what it lately achieved.
    """

    name: str
    max_width: int
    breaker: Breaker
    timeout_s: float = 10.0
    width: int = START_WIDTH
    in_flight: int = 0
    ready: deque[Any] = field(default_factory=deque)
    prefetch: int = 0
    done_since_claim: int = 0
    last_used: float = 0.0
    #: True where the last claim found less than there was room for: until something wakes it, no use looking.
    drained: bool = False
    #: The same of what is revocable.
    fenced_drained: bool = False

    def __post_init__(self) -> None:
        self.width = min(self.width, self.max_width)

    def room(self, now: float) -> int:
        """Return how many more deliveries may be claimed for it now."""
        probes = self.breaker.probes(now)
        if probes is not None:
            return probes - self.in_flight - len(self.ready)
        return self.width + self.prefetch - self.in_flight - len(self.ready)

    def room_at_the_front(self, now: float) -> int:
        """Return how many may be taken up now before all that is ready, which waits for them."""
        probes = self.breaker.probes(now)
        return (self.width + self.prefetch if probes is None else probes) - self.in_flight

    def worth_a_claim(self, now: float) -> bool:
        """Return whether there is room for enough to pay for a statement, or nothing else to wait for."""
        room = self.room(now)
        enough = min(MIN_CLAIM, (self.width + self.prefetch) // 2)
        return room >= max(1, enough) or (room > 0 and not self.in_flight)

    def worth_a_batch(self, now: float) -> bool:
        """Return the same for what is taken up at the front: somebody's phone waits for no half of a lane."""
        enough = 1 if self.breaker.is_open else max(1, (self.width + self.prefetch) // 8)
        return self.room_at_the_front(now) >= enough

    def claimed(self) -> None:
        """Adapt the prefetch to what was achieved since the last claim."""
        self.prefetch = min(MAX_PREFETCH, max(self.done_since_claim, self.prefetch // 2))
        self.done_since_claim = 0

    def succeeded(self) -> None:
        self.done_since_claim += 1
        self.width = min(self.max_width, self.width + 1)
        self.breaker.succeeded()

    def failed(self, now: float, *, stalled: bool) -> None:
        self.done_since_claim += 1
        if stalled:
            self.width = max(1, self.width // 2)
            self.prefetch = 0
        self.breaker.failed(now)
