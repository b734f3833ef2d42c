"""The lanes of one sender: what they have ready, and the sends that they begin as their width allows."""

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import psycopg
from django.conf import settings

from notifications.channels import registry
from notifications.channels.base import TooFast, Unavailable
from notifications.engine.attempt import Attempts
from notifications.engine.claim import RELEASE, Claimed
from notifications.engine.content import Content
from notifications.engine.database import Database
from notifications.engine.fence import Batch, Fence
from notifications.engine.lanes import MIN_CLAIM, Breaker, Lane
from notifications.engine.outcome import Result
from notifications.engine.rate import Bucket
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

# Deliveries that a small alert is taken to have.
EACH = 8
# What was claimed ahead is begun within this part of its lease, or given back.
START_WITHIN = 1 / 3
# Between two looks whether a lane with a rate may send, in seconds at least.
PACE_S = 0.001
# From so many lanes on, idle ones are looked for and forgotten, so many seconds apart.
MANY_LANES: Final = 1000
FORGET_EVERY_S: Final = 10.0

Ready = tuple[Claimed, Content, Fence | None]


class Pump:
    """Begins what lanes have ready, and gives back what they can't begin in time."""

    def __init__(
        self,
        attempts: Attempts,
        sends: UnderWay,
        wakeups: Wakeups,
        database: Database,
        stopping: threading.Event,
    ) -> None:
        self._attempts = attempts
        self._sends = sends
        self._wakeups = wakeups
        self._database = database
        self._stopping = stopping
        self.lanes: dict[str, Lane] = {}
        self._forget_at = 0.0
        #: Rows that this sender has: ready, or being sent.
        self.claimed = 0
        #: True where the last claim ended because too much is under way in all.
        self.is_full = False

    @property
    def room(self) -> int:
        """How many more rows the sender may have."""
        return settings.SENDER_CONCURRENCY - self.claimed

    @property
    def is_worth_a_claim(self) -> bool:
        return self.room >= min(MIN_CLAIM, max(1, settings.SENDER_CONCURRENCY // 4))

    def has_room(self, count: int) -> bool:
        """Return whether it can take over deliveries of so many small alerts; from any thread."""
        return self.room >= min(count * EACH, settings.SENDER_CONCURRENCY // 2)

    def lane_of(self, row: Claimed) -> Lane:
        lane = self.lanes.get(row.lane)
        if lane is None:
            breaker = Breaker(
                settings.BREAKER_FAILURES,
                settings.BREAKER_AFTER_S,
                settings.BREAKER_PROBE_S,
                settings.BREAKER_PROBE_MAX_S,
            )
            self._forget_idle_lanes()
            channel = registry.sendable(row.channel)
            rate = None if channel.rate is None else Bucket(channel.rate)
            lane = self.lanes[row.lane] = Lane(
                row.lane, channel.concurrency, breaker, channel.timeout_s, rate, channel.hold_max_s
            )
        lane.last_used = time.monotonic()
        return lane

    def _forget_idle_lanes(self) -> None:
        """Keep the list short where every person has a destination of their own."""
        if len(self.lanes) < MANY_LANES:
            return
        now = time.monotonic()
        if now < self._forget_at:  # looking through all of them takes a while
            return
        self._forget_at = now + FORGET_EVERY_S
        for lane in list(self.lanes.values()):
            if lane.may_be_forgotten(now):
                del self.lanes[lane.name]

    # --- What comes in -------------------------------------------------------------------------------

    @staticmethod
    def start_by() -> float:
        """Return by when (monotonic) what is claimed now is to begin."""
        return time.monotonic() + settings.LEASE_S * START_WITHIN

    def take_over(self, rows: Sequence[tuple[Claimed, Content]]) -> None:
        """Begin rows that were born claimed."""
        start_by = self.start_by()
        touched: dict[str, Lane] = {}
        for row, content in rows:
            lane = touched[row.lane] = self.lane_of(row)
            lane.add(row, content, start_by)
            self.claimed += 1
        for lane in touched.values():
            self.start(lane)

    def take_up(self, rows: Sequence[Claimed], contents: Sequence[Content | None], batch: Batch) -> None:
        """Take up locked rows of one lane (notifications.engine.fence), before all that it has ready."""
        lane = self.lane_of(rows[0])
        lane.claimed()
        for row, content, fence in reversed(list(zip(rows, contents, batch.fences, strict=True))):
            if content is None:  # deleted, and its deliveries with it
                batch.leave_out(1)
            else:
                lane.ready.appendleft((row, content, math.inf, fence))
                self.claimed += 1
        self._pump(lane)

    def give_back(self, batch: Batch) -> int:
        """Take nothing more of a batch up; returns how many were not."""
        count = 0
        if not all(fence.taken for fence in batch.fences):
            for lane in self.lanes.values():
                kept = [each for each in lane.ready if each[3] is None or each[3].batch is not batch]
                count += len(lane.ready) - len(kept)
                lane.ready = deque(kept)
        self.claimed -= count
        return count

    async def release(self, *lanes: Lane) -> None:
        """Give back what was claimed ahead and can't be begun while its lease is fresh."""
        rows = [row for lane in lanes for row, _, _, fence in lane.ready if fence is None]
        for lane in lanes:
            lane.ready = deque(each for each in lane.ready if each[3] is not None)
            lane.look_at_all()
            lane.drained = False
        self.claimed -= len(rows)
        if rows:
            with contextlib.suppress(psycopg.OperationalError):
                await self._database.rows(
                    RELEASE, {"ids": [row.id for row in rows], "attempts": [row.attempt for row in rows]}
                )
            self._wakeups.claims.set()

    # --- Sending -------------------------------------------------------------------------------------

    def start(self, lane: Lane) -> None:
        """Start what has come for a lane, or give it back where the lane has been closed meanwhile."""
        if self._stopping.is_set() or lane.closed_until(time.monotonic()) is not None:
            self._sends.spawn(self.release(lane))
        else:
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        """Start what the lane has ready, as far as its width goes."""
        while following := self._next(lane):
            self._sends.spawn(self._serve(lane, following))
        if lane.ready and lane.rate is not None and not lane.pump_is_due:
            wait_s = lane.rate.wait_s(time.monotonic(), front=lane.ready[0][3] is not None)
            if wait_s or not lane.in_flight:  # else it waits for a send to end, which pumps too
                lane.pump_is_due = True
                asyncio.get_running_loop().call_later(max(wait_s, PACE_S), self._pump_on, lane)

    def _pump_on(self, lane: Lane) -> None:
        lane.pump_is_due = False
        self._pump(lane)

    def _reopen(self, lane: Lane) -> None:
        self._pump(lane)
        self._wakeups.look_now()

    def _next(self, lane: Lane) -> Ready | None:
        """Take what the lane has ready next, if it may begin now."""
        now = time.monotonic()
        if not lane.ready or not lane.may_begin(now, front=lane.ready[0][3] is not None):
            return None
        row, content, start_by, fence = lane.ready[0]
        if now > start_by:
            self._sends.spawn(self.release(lane))
            return None
        lane.ready.popleft()
        lane.begin(now)
        if fence is not None:
            fence.taken = True
        return row, content, fence

    async def _serve(self, lane: Lane, following: Ready | None) -> None:
        """Send one after the other while the lane has any: a task for each would cost more."""
        task = asyncio.current_task()
        assert task is not None
        while following:
            row, content, fence = following
            result, stalled = await self._attempts.make(
                row, content, fence, timeout_s=lane.timeout_s, task=task
            )
            self._ended(lane, result, stalled=stalled)
            following = self._next(lane)
            self._pump(lane)
            self._claim_more(lane, fenced=fence is not None)

    def _ended(self, lane: Lane, result: Result, *, stalled: bool) -> None:
        """Adapt a lane to what came of a send."""
        self.claimed -= 1
        lane.in_flight -= 1
        now = time.monotonic()
        if self.is_full and self.is_worth_a_claim:
            self.is_full = False
            self._wakeups.claims.set()
        if isinstance(result, TooFast):
            lane.congested(now, retry_after_s=result.retry_after)
        elif isinstance(result, Unavailable):
            lane.failed(now, stalled=stalled)
        else:  # a refusal is an answer too: the destination is there
            lane.succeeded()
        if (closed_until := lane.closed_until(now)) is not None:
            asyncio.get_running_loop().call_later(closed_until - now + 0.001, self._reopen, lane)
            if lane.ready:
                self._sends.spawn(self.release(lane))

    def _claim_more(self, lane: Lane, *, fenced: bool) -> None:
        """Look for more where the lane has room for it."""
        now = time.monotonic()
        if fenced:
            if not lane.fenced_drained and lane.worth_a_batch(now):
                self._wakeups.fenced.set()
            elif not lane.fenced_drained and lane.rate and (wait_s := lane.rate.wait_s(now, front=True)):
                asyncio.get_running_loop().call_later(max(wait_s, PACE_S), self._wakeups.fenced.set)
        elif not lane.drained and lane.worth_a_claim(now):
            self._wakeups.claims.set()
