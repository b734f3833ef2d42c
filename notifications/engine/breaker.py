"""What stops sending to a destination after lasting failure."""

from dataclasses import dataclass


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

    def failed(self, now: float, *, was_probe: bool = False) -> None:
        """Note a failure; while open, only a probe's says anything new."""
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        lasting = now - self.failing_since >= self.open_after_s
        if was_probe if self.is_open else (self.failures >= self.failures_to_open and lasting):
            self.wait_s = min(self.wait_s * 2 or self.probe_s, self.probe_max_s)
            self.open_until = now + self.wait_s

    def told(self, open_until: float, *, wait_s: float) -> None:
        """Open because another worker's has: until then, and by as much the next time."""
        self.failures = max(self.failures, self.failures_to_open)
        self.open_until, self.wait_s = max(self.open_until or 0.0, open_until), max(self.wait_s, wait_s)

    def probes(self, now: float) -> int | None:
        """Return how many sends may be under way: None for no limit, else 0 or (a probe) 1."""
        if self.open_until is None:
            return None
        return 1 if now >= self.open_until else 0
