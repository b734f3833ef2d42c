"""The loop that begins what is revocable and due: lane by lane, none of them waiting for another."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog

from notifications import metrics
from notifications.database import RETRY_S
from notifications.engine.fencer import Fencer
from notifications.engine.lanes import FIRST_ROOM
from notifications.engine.pump import Pump
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

log = structlog.get_logger(__name__)

# Revocable sends of one lane that are begun under one transaction at most.
FENCED_AT_ONCE = 512
# Between two looks for what is revocable and due in a moment, in seconds.
LOOK_AHEAD_S = 0.01


@dataclass(eq=False)
class FenceLoop:
    """Begins revocable sends when it is woken, and when the next of them is due."""

    _fencer: Fencer
    _pump: Pump
    _sends: UnderWay
    _wakeups: Wakeups
    _clock: Callable[[], datetime]
    _stopping: threading.Event

    def __post_init__(self) -> None:
        self.is_busy = True
        self._next_look: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Begin what is due until the sender stops."""
        busy: set[str] = set()
        while not self._stopping.is_set():
            self.is_busy = False
            await self._wakeups.fenced.wait()
            self.is_busy = True
            self._wakeups.fenced.clear()
            try:
                lanes = await self._fencer.due_lanes(self._clock())
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error).strip())
                await asyncio.sleep(RETRY_S)
                self._wakeups.fenced.set()
                continue
            metrics.looked(metrics.REVOCABLE)
            if self._fencer.has_more_lanes:
                self._wakeups.fenced.set()
            elif self._fencer.next_due_at is not None:
                if self._next_look is not None:
                    self._next_look.cancel()
                delay_s = (self._fencer.next_due_at - self._clock()).total_seconds()
                self._next_look = asyncio.get_running_loop().call_later(
                    max(delay_s, LOOK_AHEAD_S), self._wakeups.fenced.set
                )
            for name in lanes:
                lane = self._pump.lanes.get(name)
                if name not in busy and (lane is None or lane.worth_a_batch(time.monotonic())):
                    busy.add(name)
                    self._sends.spawn(self._begin_lane(name, busy))

    def room(self, name: str) -> int:
        """Return how many sends of a lane may begin now."""
        lane = self._pump.lanes.get(name)
        room = lane.room_at_the_front(time.monotonic()) if lane else FIRST_ROOM
        return max(0, min(room, FENCED_AT_ONCE))  # its width may have been halved since it was looked at

    async def _begin_lane(self, name: str, busy: set[str]) -> None:
        """Begin what the lane has room for, batch after batch while there is more and room enough."""
        begun = 0
        try:
            while not self._stopping.is_set():
                room = self.room(name)
                if not room:
                    break
                begun = await self._fencer.begin(name, room=room, now=self._clock())
                lane = self._pump.lanes.get(name)
                if lane is None:
                    break
                lane.fenced_drained = begun < room
                if lane.fenced_drained or not lane.worth_a_batch(time.monotonic()):
                    break
        except psycopg.OperationalError as error:
            log.warning("database_away", error=str(error).strip())
            asyncio.get_running_loop().call_later(RETRY_S, self._wakeups.fenced.set)
        except Exception:  # of this lane only; the next sweep has it tried again
            log.exception("lane_failed", lane=name)
        finally:
            busy.discard(name)
            if begun:  # what is next in line may be due in a moment
                self._wakeups.fenced.set()
