"""Counters that all processes share: added up in memory, and put into one Redis hash every second."""

import atexit
import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import django_rq
import structlog
from redis import Redis
from redis.exceptions import RedisError

from config import clock
from notifications import series

log = structlog.get_logger(__name__)

KEY: Final = "tocsin:metrics"
#: When any worker last tried to send anything, in Unix seconds: how readiness tells busy from stuck.
LAST_ATTEMPT_KEY: Final = "tocsin:last-attempt-at"
#: By how much the clock of each process's machine is ahead, and when it last said so, in Unix seconds.
SKEWS_KEY: Final = "tocsin:clock-skews"
SKEW_EVERY_S: Final = 10.0
SKEW_FORGET_S: Final = 60.0
#: When any worker last looked for what is due, in Unix seconds, by what it looks for.
LOOKED_KEY: Final = "tocsin:looked-at"
ORDINARY: Final = "ordinary"
REVOCABLE: Final = "revocable"
#: By channel: since when its attempts fail, in Unix seconds, and how many have (notifications.troubles).
FAILING: Final = "tocsin:channels-failing"
FLUSH_S: Final = 1.0
#: Upper bounds, in seconds, of the lateness histogram.
BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_BUCKET_NAMES: Final = (*map(str, BUCKETS), "+Inf")
_SEPARATOR: Final = "|"


class _Accumulator:
    """This process's share since its last flush."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin with nothing, as a child after a fork: what its parent had counted, the parent flushes."""
        self.lock = threading.Lock()
        self.counts: dict[tuple[str, ...], float] = {}
        self.looks: dict[str, float] = {}
        self.skew_told_at = float("-inf")
        self.thread: threading.Thread | None = None

    def add(self, increments: Iterable[tuple[tuple[str, ...], float]]) -> None:
        with self.lock:
            counts = self.counts
            for key, amount in increments:
                counts[key] = counts.get(key, 0) + amount
        if self.thread is None:
            self._start()

    def look(self, what: str) -> None:
        with self.lock:
            self.looks[what] = clock.timestamp()
        if self.thread is None:
            self._start()

    def take(self) -> tuple[dict[tuple[str, ...], float], dict[str, float]]:
        with self.lock:
            counts, self.counts = self.counts, {}
            looks, self.looks = self.looks, {}
        return counts, looks

    def _start(self) -> None:
        with self.lock:
            if self.thread is not None:
                return
            self.thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        tick = threading.Event()
        while not tick.wait(FLUSH_S):
            flush()


_here = _Accumulator()


os.register_at_fork(after_in_child=_here.begin)


def add(name: str, *labels: str, amount: float = 1) -> None:
    _here.add((((name, *labels), amount),))


def add_many(increments: Iterable[tuple[tuple[str, ...], float]]) -> None:
    """Add to several counters at once: ``(("attempts", "webhook", "sent"), 12)``."""
    _here.add(increments)


def looked(what: str) -> None:
    """Note that what is due has been looked for just now, ``ORDINARY`` or ``REVOCABLE``."""
    _here.look(what)


def observe_lateness(*seconds: float) -> None:
    """Note by how much deliveries were sent after they were due."""
    observe("lateness", *seconds)


def observe(name: str, *seconds: float) -> None:
    """Note durations in the histogram of this name, whose upper bounds are ``BUCKETS``."""
    found = Counter(_BUCKET_NAMES[bisect_left(BUCKETS, each)] for each in seconds)
    buckets = [((name, bucket), float(count)) for bucket, count in found.items()]
    _here.add([*buckets, ((name, "sum"), sum(seconds))])


def flush() -> None:
    """Put what this process has counted into Redis; what can't be put there now is kept for the next time."""
    counts, looks = _here.take()
    skew_is_due = time.monotonic() - _here.skew_told_at > SKEW_EVERY_S
    if not counts and not looks and not skew_is_due:
        return
    try:
        pipeline = django_rq.get_connection().pipeline(transaction=False)
        for key, amount in counts.items():
            pipeline.hincrbyfloat(KEY, _SEPARATOR.join(key), amount)
        series.note(pipeline, counts, at=clock.timestamp())
        if attempts := {key: amount for key, amount in counts.items() if key[0] == "attempts"}:
            pipeline.set(LAST_ATTEMPT_KEY, clock.timestamp())
            _note_failing(pipeline, attempts)
        if looks:
            pipeline.hset(LOOKED_KEY, mapping=looks)
        if skew_is_due:
            pipeline.hset(SKEWS_KEY, clock.PROCESS, f"{clock.skew_s():.6f} {clock.timestamp():.3f}")
        pipeline.execute()
        if skew_is_due:
            _here.skew_told_at = time.monotonic()
    except (RedisError, OSError) as error:
        log.warning("metrics_not_flushed", error=type(error).__name__)
        _here.add(counts.items())


def _note_failing(pipeline: Any, attempts: Mapping[tuple[str, ...], float]) -> None:
    """Note the channels by which nothing gets through; attempts come as ("attempts", channel, outcome)."""
    failed: Counter[str] = Counter()
    through: set[str] = set()
    for (_, channel, outcome), count in attempts.items():
        if outcome == "sent":
            through.add(channel)
        elif outcome != "lost":  # that says nothing of the channel
            failed[channel] += int(count)
    now = clock.timestamp()
    for channel in through:
        pipeline.hdel(FAILING, f"{channel} since", f"{channel} failures")
    for channel in failed.keys() - through:
        pipeline.hsetnx(FAILING, f"{channel} since", now)
        pipeline.hincrby(FAILING, f"{channel} failures", failed[channel])


def totals() -> dict[tuple[str, ...], float]:
    """Return what all processes have counted since Redis was last empty."""
    stored = django_rq.get_connection().hgetall(KEY)
    return {tuple(key.decode().split(_SEPARATOR)): float(value) for key, value in stored.items()}


def looked_at(connection: Redis) -> dict[str, float]:
    """Return when any worker last looked for what is due, in Unix seconds, by what it looks for."""
    stored = cast("dict[bytes, bytes]", connection.hgetall(LOOKED_KEY))
    return {what.decode(): float(at) for what, at in stored.items()}


def clock_skews(connection: Redis) -> dict[str, float]:
    """Return by how many seconds the machine of each process has a fast clock, of those heard of lately."""
    stored = cast("dict[bytes, bytes]", connection.hgetall(SKEWS_KEY))
    horizon = clock.timestamp() - SKEW_FORGET_S
    found: dict[str, float] = {}
    gone: list[bytes] = []
    for process, value in stored.items():
        skew_s, at = map(float, value.split()[:2])  # a later version may tell more
        if at >= horizon:
            found[process.decode()] = skew_s
        else:
            gone.append(process)
    if gone:
        connection.hdel(SKEWS_KEY, *gone)
    return found | {clock.PROCESS: clock.skew_s()}


@atexit.register
def _flush_at_exit() -> None:
    """Say nothing where nothing was ever counted, as in most commands: there may be no Redis."""
    if _here.thread is not None:
        flush()
