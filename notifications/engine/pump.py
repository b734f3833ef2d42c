"""The lanes of one sender: what they have ready, and the sends that they begin as their width allows."""

import asyncio
import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

import psycopg
from django.conf import settings

from config.clock import elapsed
from notifications.channels import registry
from notifications.channels.message import TooFast, Unavailable
from notifications.database import Database
from notifications.engine import parcels
from notifications.engine.attempt import Attempts
from notifications.engine.claim import RELEASE, Claimed
from notifications.engine.content import Content
from notifications.engine.fence import Batch, Fence
from notifications.engine.lane_news import LaneNews, News
from notifications.engine.lanes import MIN_CLAIM, Lane, Lanes
from notifications.engine.outcome import Result
from notifications.engine.parcels import Gathering, Parcel
from notifications.engine.peers import Peers
from notifications.engine.slices import Slices
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

# Deliveries that a small alert is taken to have.
EACH = 8
# What was claimed ahead is begun within this part of its lease, or given back.
START_WITHIN = 1 / 3
# Between two looks whether a lane with a rate may send, in seconds at least.
PACE_S = 0.001

# What is taken to be sent: a row, or with a parcel all that is in that.
Next = tuple[Claimed, Content, Fence | None, Parcel | None]


class Pump:
    """Begins what lanes have ready, and gives back what they can't begin in time."""

    def __init__(
        self,
        attempts: Attempts,
        sends: UnderWay,
        wakeups: Wakeups,
        database: Database,
        peers: Peers,
        clock: Callable[[], datetime],
        stopping: threading.Event,
    ) -> None:
        self._attempts = attempts
        self._sends = sends
        self._wakeups = wakeups
        self._database = database
        self._peers, self._slices = peers, Slices(peers)
        self._clock = clock
        self.news = LaneNews(peers, clock, on_news=self._hear)
        self._stopping = stopping
        self._gathering = Gathering(on_ready=self.start)
        # Of what goes to no contact point: these say for themselves whether they are told in batches.
        self._batching = {
            name: channel.batching for name, channel in registry.CHANNELS.items() if channel.batching
        }
        self.lanes = Lanes(lambda lane: self._sends.spawn(self._take_slice(lane)))
        #: What this sender has: rows that are ready, and requests under way.
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

    # --- What comes in -------------------------------------------------------------------------------

    @staticmethod
    def start_by() -> float:
        """Return by when, by ``clock.elapsed``, what is claimed now is to begin."""
        return elapsed() + settings.LEASE_S * START_WITHIN

    def add(self, row: Claimed, content: Content, start_by: float) -> Lane:
        """Have a claimed row ready in its lane, which is to be started then."""
        lane = self.lanes.of(row.lane, row.channel)
        self.claimed += 1
        batching = row.batching or self._batching.get(row.channel)
        if batching is None:
            lane.add(row, content, start_by)
        else:
            self._gathering.add(lane, batching, row, content, start_by)
        return lane

    def take_over(self, rows: Sequence[tuple[Claimed, Content]]) -> None:
        """Begin rows that were born claimed."""
        start_by = self.start_by()
        touched: dict[str, Lane] = {}
        for row, content in rows:
            touched[row.lane] = self.add(row, content, start_by)
        for lane in touched.values():
            self.start(lane)

    def take_up(self, rows: Sequence[Claimed], contents: Sequence[Content | None], batch: Batch) -> None:
        """Take up locked rows of one lane (notifications.engine.fence), before all that it has ready."""
        lane = self.lanes.of(rows[0].lane, rows[0].channel)
        lane.claimed()
        for row, content, fence in reversed(list(zip(rows, contents, batch.fences, strict=True))):
            if content is None:  # deleted, and its deliveries with it
                batch.leave_out(1)
            else:
                lane.ready.appendleft((row, content, math.inf, fence, None))
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
        rows: list[Claimed] = []
        for lane in lanes:
            rows += [row for row, _, _, fence, parcel in lane.ready if fence is None and parcel is None]
            rows += parcels.give_back(lane)
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

    def _next(self, lane: Lane) -> Next | None:
        """Take what the lane has ready next, if it may begin now."""
        now = time.monotonic()
        if not lane.ready:
            return None
        row, content, start_by, fence, parcel = lane.ready[0]
        if not lane.may_begin(now, front=fence is not None, priority=row.priority):
            return None
        if elapsed() > start_by:
            self._sends.spawn(self.release(lane))
            return None
        lane.ready.popleft()
        lane.begin(now)
        if fence is not None:
            fence.taken = True
        elif parcel is not None:
            parcels.begin(lane, parcel)
            self._make_room(len(parcel) - 1)
        return row, content, fence, parcel

    async def _serve(self, lane: Lane, following: Next | None) -> None:
        """Send one after the other while the lane has any: a task for each would cost more."""
        task = asyncio.current_task()
        assert task is not None
        while following:
            row, content, fence, parcel = following
            if parcel is None:
                result, stalled = await self._attempts.make(
                    row, content, fence, timeout_s=lane.timeout_s, task=task
                )
            else:
                result, stalled = await self._attempts.make_together(
                    parcel, timeout_s=lane.timeout_s, task=task
                )
                lane.done_since_claim += len(parcel) - 1
                if parcel.is_refused_whole(result):  # for a part of it: it goes again, in halves
                    parcels.split(lane, parcel)
                    self.claimed += len(parcel)
            self._ended(lane, result, stalled=stalled)
            following = self._next(lane)
            self._pump(lane)
            self._claim_more(lane, fenced=fence is not None)

    def _make_room(self, count: int) -> None:
        self.claimed -= count
        if self.is_full and self.is_worth_a_claim:
            self.is_full = False
            self._wakeups.claims.set()

    def _ended(self, lane: Lane, result: Result, *, stalled: bool) -> None:
        """Adapt a lane to what came of a send."""
        self._make_room(1)
        lane.in_flight -= 1
        now = time.monotonic()
        if isinstance(result, TooFast):
            lane.congested(now, retry_after_s=result.retry_after)
        elif isinstance(result, Unavailable):
            lane.failed(now, stalled=stalled)
        else:  # a refusal is an answer too: the destination is there
            lane.succeeded()
        self._close_while_closed(lane, now)
        if (until := lane.news(now)) is not None:
            # The others are told that it is closed until then, or open again (0).
            lane.told_until = until
            if until:
                until += self._clock().timestamp() - now
            probe_s = lane.breaker.wait_s if lane.breaker.is_open else 0.0
            self._sends.spawn(self.news.tell(lane.name, lane.channel, until=until, probe_s=probe_s))

    def _close_while_closed(self, lane: Lane, now: float) -> None:
        """Give back what a lane has ready that is closed, and go on as soon as it is not."""
        if (closed_until := lane.closed_until(now)) is not None:
            asyncio.get_running_loop().call_later(closed_until - now + 0.001, self._reopen, lane)
            if lane.ready or lane.gathered:
                self._sends.spawn(self.release(lane))

    # --- What is shared with other workers -------------------------------------------------------------

    async def _take_slice(self, lane: Lane) -> None:
        rate = lane.rate
        assert rate is not None
        part = await self._slices.take(lane.name, rate.per_s, front=rate.is_front_waiting)
        is_front_waiting = rate.is_front_waiting
        if part is None:
            rate.unanswered(time.monotonic(), workers=self._peers.count)
        else:
            rate.granted(time.monotonic(), part)
        self._pump(lane)
        if is_front_waiting:
            self._wakeups.fenced.set()

    def _hear(self, news: News) -> None:
        """Do as another worker does that has found out about a lane."""
        lane, now = self.lanes.get(news.lane), time.monotonic()
        if news.until:
            lane = lane or self.lanes.of(news.lane, news.channel)
            lane.told(now, now + news.until - self._clock().timestamp(), probe_s=news.probe_s)
            self._close_while_closed(lane, now)
        elif lane is not None and lane.told_until:
            lane.told_until = 0.0
            lane.breaker.succeeded()
            self._reopen(lane)

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
