"""One destination's share of a worker: how many sends at once, and whether it is worth trying at all."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings

from notifications.channels import registry
from notifications.engine.breaker import Breaker
from notifications.engine.rate import Rate
from notifications.models import BEHIND, LEVELS

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
# From so many lanes on, idle ones are looked for and forgotten, so many seconds apart.
MANY_LANES: Final = 1000
FORGET_EVERY_S: Final = 10.0
# A lane with nothing to do is forgotten after so many seconds; one that failed later, for what it has learnt.
FORGET_AFTER_S, FORGET_FAILED_AFTER_S = 60.0, 600.0


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
    #: Parcels that others may still join, and how many rows are in all that have not begun.
    parcels: dict[Any, Any] = field(default_factory=dict)
    gathered: int = 0
    #: Most rows that one request here has told.
    batch: int = 1
    #: From which due time on the next claim looks, by priority.
    since: list[datetime] = field(default_factory=lambda: [EPOCH] * LEVELS)

    def __post_init__(self) -> None:
        self.width = min(self.width, self.max_width)

    def may_be_forgotten(self, now: float) -> bool:
        """Return whether nothing of it is left to do, nor to know."""
        after_s = FORGET_FAILED_AFTER_S if self.breaker.failures else FORGET_AFTER_S
        is_idle = not (self.in_flight or self.ready or self.gathered)
        return is_idle and now > self.held_until and now > self.last_used + after_s

    def look_at_all(self) -> None:
        """Have the next claim look at everything that is due, and not only at what came since the last."""
        self.since = [EPOCH] * LEVELS

    def seen(self, priority: int, due_at: datetime) -> None:
        """Note how far a claim has come; what was due shortly before may yet be committed."""
        self.since[priority] = max(self.since[priority], due_at - OVERTAKES)

    def add(self, row: Any, content: Any, start_by: float, parcel: Any = None) -> None:
        """Have a claimed row, or a parcel, ready: behind those of its priority, before lower ones."""
        entry = (row, content, start_by, None, parcel)
        if not self.ready or self.ready[-1][0].priority <= row.priority:
            self.ready.append(entry)
            return
        place = next(at for at, other in enumerate(self.ready) if other[0].priority > row.priority)
        self.ready.insert(place, entry)

    @property
    def is_crowded(self) -> bool:
        """Whether what it has ready ends with what others need not wait for."""
        return bool(self.ready) and self.ready[-1][0].priority == BEHIND

    def room(self, now: float) -> int:
        """Return how many more deliveries may be claimed for it now."""
        return self._most(now) - self.in_flight - len(self.ready) - self.gathered

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
        ahead = max(self.prefetch, self.batch - 1)
        return ahead if self.rate is None else min(ahead, self.rate.ahead() * self.batch)

    def closed_until(self, now: float) -> float | None:
        """Return until when nothing may begin at all; None where that is not so."""
        until = max(self.held_until, self.breaker.open_until or 0.0)
        return until if until > now else None

    def may_begin(self, now: float, *, front: bool, priority: int = 0) -> bool:
        """Return whether one more send may begin now; ``front``: of what goes before all others.

        What is behind the rest leaves a quarter of the width free, for whatever comes meanwhile.
        """
        probes = self.breaker.probes(now)
        most = self.width if probes is None else probes
        if priority == BEHIND:
            most -= most // 4
        if now < self.held_until or self.in_flight >= most:
            return False
        return self.rate is None or not self.rate.wait_s(now, front=front)

    def begin(self, now: float) -> None:
        self.in_flight += 1
        self.probing = self.breaker.is_open
        if self.rate is not None:
            self.rate.take(now)

    def worth_a_claim(self, now: float) -> bool:
        """Return whether there is room for enough to pay for a statement, or nothing else to wait for."""
        room = self.room(now)
        enough = min(MIN_CLAIM, (self.width + self._ahead) // 2)
        return room >= max(1, enough) or (room > 0 and not self.in_flight)

    def worth_a_batch(self, now: float) -> bool:
        """Return the same for what is taken up at the front: somebody's phone waits for no half of a lane."""
        is_slow = self.breaker.is_open or self.rate is not None
        enough = 1 if is_slow else max(1, (self.width + self._ahead) // 8)
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


class Lanes(dict[str, Lane]):
    """The lanes of one sender, by name; ``on_slice_wanted`` is called with one that has used up its slice."""

    def __init__(self, on_slice_wanted: Callable[[Lane], object]) -> None:
        super().__init__()
        self._on_slice_wanted = on_slice_wanted
        self._forget_at = 0.0

    @property
    def are_gathering(self) -> bool:
        return any(lane.gathered for lane in self.values())

    def of(self, name: str, channel: str) -> Lane:
        """Return a lane, new where it is not known yet: then the channel of that name says how it is."""
        lane = self.get(name)
        if lane is None:
            self._forget_idle()
            how = registry.sendable(channel)
            breaker = Breaker(
                settings.BREAKER_FAILURES,
                settings.BREAKER_AFTER_S,
                settings.BREAKER_PROBE_S,
                settings.BREAKER_PROBE_MAX_S,
            )
            lane = self[name] = Lane(
                name, how.concurrency, breaker, how.timeout_s, hold_max_s=how.hold_max_s, channel=how.name
            )
            if how.rate is not None:
                lane.rate = Rate(how.rate, partial(self._on_slice_wanted, lane))
        lane.last_used = time.monotonic()
        return lane

    def _forget_idle(self) -> None:
        """Keep the list short where every person has a destination of their own."""
        now = time.monotonic()
        if len(self) < MANY_LANES or now < self._forget_at:  # looking through all of them takes a while
            return
        self._forget_at = now + FORGET_EVERY_S
        for lane in list(self.values()):
            if lane.may_be_forgotten(now):
                del self[lane.name]
