"""The time, as the database's server has it: what is due, or whose lease is over, is one thing for all.

Each counts on from what the server said last, by a clock that nobody sets. That the machine's own is off, or
is put right while the process runs, decides nothing. See docs/adr/0028.
"""

import os
import socket
import time
from datetime import UTC, datetime
from typing import Final

import structlog

log = structlog.get_logger(__name__)

#: What to ask the server for, in Unix seconds. Not ``now()``, which is when the transaction began.
SERVER_TIME: Final = "extract(epoch FROM clock_timestamp())::float8"
#: A measurement is made again after so many seconds: few clocks drift by a millisecond in that.
MEASURE_EVERY_S: Final = 10.0
#: A machine's clock that is off by more than this, in seconds, is worth a warning.
SKEWED_S: Final = 1.0
#: This process, as metrics name it.
PROCESS: Final = f"{socket.gethostname()}:{os.getpid()}"


def elapsed() -> float:
    """Return seconds that pass while the machine sleeps too, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The server's time by what it said last; the machine's own until it has said anything."""

    def __init__(self) -> None:
        #: The time at which ``elapsed`` was 0, in Unix seconds.
        self._origin = _own_origin()
        self._measured_at: float | None = None
        self._is_skewed = False

    def timestamp(self) -> float:
        return self._origin + elapsed()

    def timestamp_ns(self) -> int:
        return int(self._origin * 1e9) + time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    @property
    def is_stale(self) -> bool:
        return self._measured_at is None or elapsed() - self._measured_at >= MEASURE_EVERY_S

    def measured(self, server_time: float, *, asked_at: float, answered_at: float) -> None:
        first, last = server_time - answered_at, server_time - asked_at
        if not first <= self._origin <= last:
            self._origin = (first + last) / 2
        self._measured_at = answered_at
        # Log it once that the machine's clock is off, and once that it is right again.
        skew_s = self.skew_s()
        if (abs(skew_s) > SKEWED_S) != self._is_skewed:
            self._is_skewed = not self._is_skewed
            log.warning("clock_skewed" if self._is_skewed else "clock_right", skew_s=round(skew_s, 3))

    def skew_s(self) -> float:
        return _own_origin() - self._origin


def _own_origin() -> float:
    """Return when ``elapsed`` was 0 by the machine's own clock: the closest of a few looks at both."""
    looks = []
    for _ in range(5):
        before, wall, after = elapsed(), time.time(), elapsed()
        looks.append((after - before, wall - (before + after) / 2))
    return min(looks)[1]


_clock = Clock()


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.fromtimestamp(_clock.timestamp(), UTC)


def timestamp() -> float:
    """Return the time in Unix seconds."""
    return _clock.timestamp()


def timestamp_ns() -> int:
    """Return the time in Unix nanoseconds, which a float of seconds would round to hundreds."""
    return _clock.timestamp_ns()


def is_stale() -> bool:
    """Whether the server should be asked again."""
    return _clock.is_stale


def measured(server_time: float, *, asked_at: float, answered_at: float) -> None:
    """Take what the server said (``SERVER_TIME``) at some time between a question and its answer.

    The clock moves only where that proves it wrong, and then to the middle of what is possible: an answer
    that took long, or was read late, says little and does no harm.

    Args:
        asked_at, answered_at: by ``elapsed``.
    """
    _clock.measured(server_time, asked_at=asked_at, answered_at=answered_at)


def skew_s() -> float:
    """Return by how many seconds this machine's own clock is ahead of the server's."""
    return _clock.skew_s()
