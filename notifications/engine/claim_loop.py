"""The loop that claims what is due, as much of each lane as it has room for."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
import structlog
from django.conf import settings

from notifications import metrics
from notifications.database import RETRY_S, Database
from notifications.engine.allowed import Allowed
from notifications.engine.claim import Ask, Claimer, report_lost
from notifications.engine.content import Contents
from notifications.engine.finalise import Ledger
from notifications.engine.lanes import EPOCH, FIRST_ROOM
from notifications.engine.outcome import ending_of, withheld_of
from notifications.engine.pump import Pump
from notifications.engine.wakeups import Wakeups
from notifications.models import BEHIND, LEVELS, PRIORITIES, Severity

log = structlog.get_logger(__name__)

# Between two looks at everything that is due, in seconds; what came in order is found by less.
LOOK_AT_ALL_S = 1.0
# A look at everything takes no more than one part in so many of the time.
LOOK_AT_ALL_PART = 50


@dataclass(eq=False)
class ClaimLoop:
    """Claims when it is woken, and as long as there is more."""

    _claimer: Claimer
    _contents: Contents
    _allowed: Allowed
    _ledger: Ledger
    _pump: Pump
    _wakeups: Wakeups
    _database: Database
    _clock: Callable[[], datetime]
    _stopping: threading.Event

    def __post_init__(self) -> None:
        self.is_busy = True
        self.ended = asyncio.Event()
        # Lanes that were found and are not known yet, those with something critical, and those with something
        # standard whose room is taken up by what is behind that.
        self._new_lanes, self._critical, self._standard = set[str](), set[str](), set[str]()
        # The last lane that was asked for, where there were more than a claim takes rows.
        self._served, self._left_out = "", False

    async def run(self) -> None:
        """Claim until the sender stops."""
        while not self._stopping.is_set():
            self.is_busy = True
            self._wakeups.claims.clear()
            try:
                again = await self._claim()
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error).strip())
                await self._until_database_is_back()
                self._wakeups.look_now()  # it may have forgotten what was claimed
                continue
            if not again:
                self.is_busy = False
                await self._wakeups.claims.wait()
        self.ended.set()

    async def _until_database_is_back(self) -> None:
        """Wait, and write down what was sent before claiming again: a crash may have undone its claim."""
        self._ledger.doubt()
        while not self._stopping.is_set():
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(psycopg.OperationalError):
                await self._ledger.write()
                await self._database.rows("SELECT 1", {})
                return

    async def _claim(self) -> bool:
        """Claim and start what there is room for; returns whether to look again at once."""
        if not self._pump.is_worth_a_claim:
            self._pump.is_full = True
            return False
        # Both from one instant: however long this takes, the lease outlives what begins in time.
        limit, now, start_by = self._pump.room, self._clock(), self._pump.start_by()
        if self._wakeups.looking:
            await self._look_for_lanes(now)
        asked = self._asked(limit)
        if not asked:
            metrics.looked(metrics.ORDINARY)
            return self._wakeups.looking
        counts = await self._take(asked, now, start_by)
        for ask in asked:
            lane = self._pump.lanes.get(ask.lane)
            if lane is not None:
                if ask.room:
                    lane.drained = counts[ask.lane] < ask.room
                if counts[ask.lane]:
                    lane.claimed()
                    self._pump.start(lane)
            elif counts[ask.lane] >= ask.room:  # none of it was to be sent, and more may follow
                self._new_lanes.add(ask.lane)
        has_more = any(counts[ask.lane] >= ask.room for ask in asked)
        return self._wakeups.looking or self._left_out or has_more

    async def _take(self, asked: list[Ask], now: datetime, start_by: float) -> Counter[str]:
        """Take what is asked for and have it ready; returns how many rows of each lane there were."""
        lease_until = now + timedelta(seconds=settings.LEASE_S)
        taken = await self._claimer.take(asked, now=now, lease_until=lease_until)
        metrics.looked(metrics.ORDINARY)
        report_lost(taken)
        rows = [row for row in taken if not row.is_over]
        for row in taken:
            if row.is_over:
                self._ledger.add(ending_of(row, now=self._clock()))
        contents = await self._contents.of(rows)
        reasons = await self._allowed.over(rows, contents, now)
        for row, content, reason in zip(rows, contents, reasons, strict=True):
            if reason:
                self._ledger.add(withheld_of(row, reason, now=now))
            elif content is not None:  # else it was deleted, and its deliveries with it
                lane = self._pump.add(row, content, start_by)
                lane.seen(row.priority, row.due_at)
        return Counter(row.lane for row in taken)

    async def _look_for_lanes(self, now: datetime) -> None:
        """Find the lanes in which something is due: what came while nobody asked for it."""
        wakeups = self._wakeups
        started = time.monotonic()
        look_at_all = started >= wakeups.look_at_all_at
        next_at = started + LOOK_AT_ALL_S if look_at_all else wakeups.look_at_all_at
        wakeups.looking, wakeups.look_at_all_at = False, next_at  # a wake-up meanwhile has it look again
        due = await self._claimer.due_lanes(now)
        wakeups.looking = wakeups.looking or self._claimer.has_more_lanes
        for name, priority in due.items():
            lane = self._pump.lanes.get(name)
            if priority == PRIORITIES[Severity.CRITICAL]:
                self._critical.add(name)
            if priority < BEHIND and lane is not None and lane.is_crowded:
                self._standard.add(name)
            if lane is None:
                self._new_lanes.add(name)
            else:
                lane.drained = False
                if look_at_all:
                    lane.look_at_all()
        if look_at_all and wakeups.look_at_all_at == next_at:
            took_s = time.monotonic() - started
            wakeups.look_at_all_at = max(next_at, started + took_s * LOOK_AT_ALL_PART)

    def _asked(self, limit: int) -> list[Ask]:
        """Return what to claim of each lane, so that each gets its share, and all stay within the limit."""
        now = time.monotonic()
        rooms = {
            lane.name: (lane.room(now) if lane.worth_a_claim(now) else 0, lane.since)
            for lane in self._pump.lanes.values()
            if not lane.drained and lane.closed_until(now) is None
        }
        rooms |= {name: (FIRST_ROOM, [EPOCH] * LEVELS) for name in self._new_lanes - rooms.keys()}
        # What is critical waits for no room, but for what others of its kind take.
        urgent = self._critical | self._standard
        names = [name for name, (room, _) in rooms.items() if room > 0 or name in urgent]
        self._left_out = len(names) > limit
        if self._left_out:  # the others go first the next time
            names = sorted(names, key=lambda name: (name <= self._served, name))[:limit]
            self._served = names[-1]
        share = max(1, limit // max(1, len(names)))
        asked = []
        for name in names:
            room, since = rooms[name]
            room = max(0, min(room, share))
            most = max(room, min(FIRST_ROOM, share))
            critical = most if name in urgent else room
            standard = most if name in self._standard else room
            asked.append(Ask(name, room, critical, standard, since))
        for found in (self._new_lanes, self._critical, self._standard):
            found.difference_update(names)
        return asked
