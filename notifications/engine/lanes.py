"""One destination's share of a worker: how many sends at once, and whether it is worth trying at all."""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from notifications.engine.rate import Rate
from notifications.models import PRIORITIES

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A fan-out's rows are due from when it began, and there for others once it is committed.
OVERTAKES: Final = timedelta(seconds=0.25)
START_WIDTH = 16
# A destination not heard of yet gets this much of the first claim.
FIRST_ROOM = 16
MAX_PREFETCH = 512
# Room is not worth a claim below this, while sends are under way that will make more of it.
MIN_CLAIM = 256
# Seconds for which a lane is held that is sent to too fast and does not say how long: at first, and at most.
HOLD_S, HOLD_UNASKED_MAX_S = 1.0, 60.0
# By up to this part of itself a hold is longer, so that workers don't come back together.
HOLD_JITTER = 0.25
# What others have been told is told again where it is longer by so much, in seconds.
NEWS_AFTER_S = 0.5


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


@dataclass(slots=True)
class Lane:
    """What one worker has of one destination.

    ``width``, the number of sends at once, starts small, grows by one with each success and halves when
    the destination stalls or is sent to too fast (additive increase, multiplicative decrease, as in TCP): a
    thousand hung destinations can't fill the worker. ``prefetch`` more may be claimed ahead, by what it
    lately achieved.
    """

    name: str
    max_width: int
    breaker: Breaker
    timeout_s: float = 10.0
    rate: Rate | None = None
    hold_max_s: float = 3600.0
    channel: str = ""
    width: int = START_WIDTH
    in_flight: int = 0
    ready: deque[Any] = field(default_factory=deque)
    prefetch: int = 0
    done_since_claim: int = 0
    last_used: float = 0.0
    #: The destination wants nothing before this.
    held_until: float = 0.0
    hold_s: float = 0.0
    #: The same without the part by which it is longer here: what other workers are told.
    asked_until: float = 0.0
    #: Until when other workers have been told, or have told, that it is closed.
    told_until: float = 0.0
    #: Whether what is under way is the breaker's probe; nothing else is, then.
    probing: bool = False
    #: With a rate: whether a timer will start what is ready.
    pump_is_due: bool = False
    #: True where the last claim found less than there was room for: until something wakes it, no use looking.
    drained: bool = False
    #: The same of what is revocable.
    fenced_drained: bool = False
    #: From which due time on the next claim looks, by priority.
    since: list[datetime] = field(default_factory=lambda: [EPOCH] * len(PRIORITIES))

    def __post_init__(self) -> None:
        self.width = min(self.width, self.max_width)

    def look_at_all(self) -> None:
        """Have the next claim look at everything that is due, and not only at what came since the last."""
        self.since = [EPOCH] * len(PRIORITIES)

    def seen(self, priority: int, due_at: datetime) -> None:
        """Note how far a claim has come; what was due shortly before may yet be committed."""
        self.since[priority] = max(self.since[priority], due_at - OVERTAKES)

    def add(self, row: Any, content: Any, start_by: float) -> None:
        """Have a claimed row ready behind the others; what is critical goes before what is not."""
        entry = (row, content, start_by, None)
        place = len(self.ready)
        if row.priority == 0:
            place = next((at for at, other in enumerate(self.ready) if other[0].priority > 0), place)
        self.ready.insert(place, entry)

    def room(self, now: float) -> int:
        """Return how many more deliveries may be claimed for it now."""
        return self._most(now) - self.in_flight - len(self.ready)

    def room_at_the_front(self, now: float) -> int:
        """Return how many may be taken up now before all that is ready, which waits for them."""
        room = self._most(now) - self.in_flight
        return room if self.rate is None else min(room, self.rate.room_at_the_front(now))

    def _most(self, now: float) -> int:
        if now < self.held_until:
            return 0
        probes = self.breaker.probes(now)
        return self.width + self._ahead if probes is None else probes

    @property
    def _ahead(self) -> int:
        return self.prefetch if self.rate is None else min(self.prefetch, self.rate.ahead())

    def closed_until(self, now: float) -> float | None:
        """Return until when nothing may begin at all; None where that is not so."""
        until = max(self.held_until, self.breaker.open_until or 0.0)
        return until if until > now else None

    def may_begin(self, now: float, *, front: bool) -> bool:
        """Return whether one more send may begin now; ``front``: of what goes before all others."""
        probes = self.breaker.probes(now)
        most = self.width if probes is None else probes
        if now < self.held_until or self.in_flight >= most:
            return False
        return self.rate is None or not self.rate.wait_s(now, front=front)

    def begin(self, now: float) -> None:
        self.in_flight += 1
        self.probing = self.breaker.is_open
        if self.rate is not None:
            self.rate.take(now)

    def is_idle(self, now: float) -> bool:
        """Return whether nothing would be lost with it."""
        busy = self.in_flight or self.ready or self.breaker.failures
        return not busy and now > self.held_until

    def worth_a_claim(self, now: float) -> bool:
        """Return whether there is room for enough to pay for a statement, or nothing else to wait for."""
        room = self.room(now)
        enough = min(MIN_CLAIM, (self.width + self._ahead) // 2)
        return room >= max(1, enough) or (room > 0 and not self.in_flight)

    def worth_a_batch(self, now: float) -> bool:
        """Return the same for what is taken up at the front: somebody's phone waits for no half of a lane."""
        enough = 1 if self.breaker.is_open else max(1, (self.width + self._ahead) // 8)
        if self.rate is not None:
            enough = 1
        return self.room_at_the_front(now) >= enough

    def claimed(self) -> None:
        """Adapt the prefetch to what was achieved since the last claim."""
        self.prefetch = min(MAX_PREFETCH, max(self.done_since_claim, self.prefetch // 2))
        self.done_since_claim = 0

    def succeeded(self) -> None:
        self.done_since_claim += 1
        self.width = min(self.max_width, self.width + 1)
        self.hold_s, self.probing = 0.0, False
        self.breaker.succeeded()

    def congested(self, now: float, *, retry_after_s: float | None) -> None:
        """Send nothing for as long as the destination asks, and less at once afterwards."""
        self.done_since_claim += 1
        self.prefetch, self.probing = 0, False
        self.breaker.succeeded()  # it is there and answers
        if now >= self.held_until:  # once for all that was under way
            self.width = max(1, self.width // 2)
            self.hold_s = min(self.hold_s * 2 or HOLD_S, HOLD_UNASKED_MAX_S)
        wait_s = min(self.hold_s if retry_after_s is None else retry_after_s, self.hold_max_s)
        self._hold(now, wait_s)

    def _hold(self, now: float, wait_s: float) -> None:
        self.asked_until = max(self.asked_until, now + wait_s)
        wait_s *= 1 + random.uniform(0, HOLD_JITTER)  # noqa: S311  (no secret)
        self.held_until = max(self.held_until, now + wait_s)

    def told(self, now: float, until: float, *, probe_s: float) -> None:
        """Send nothing until then, because another worker has found that out."""
        self.told_until = until
        if probe_s:
            self.breaker.told(until, wait_s=probe_s)
            return
        if now >= self.held_until:
            self.width, self.prefetch = max(1, self.width // 2), 0
        self._hold(now, until - now)

    def news(self, now: float) -> float | None:
        """Return until when it is closed, 0 where it is open again; None where the others know that."""
        until = max(self.asked_until, self.breaker.open_until or 0.0)
        if until > now:
            return until if until > self.told_until + NEWS_AFTER_S else None
        is_open = self.closed_until(now) is None and not self.breaker.is_open
        return 0.0 if self.told_until and is_open else None

    def failed(self, now: float, *, stalled: bool) -> None:
        self.done_since_claim += 1
        if stalled:
            self.width = max(1, self.width // 2)
            self.prefetch = 0
        self.breaker.failed(now, was_probe=self.probing)
        self.probing = False
