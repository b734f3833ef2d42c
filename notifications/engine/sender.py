"""The worker's sender: one event loop in a thread of its own that claims, sends and writes down.

Jobs only wake it, so a slow destination never holds up a fan-out or an event handler, and hung sends
outlive the job that began them.
"""

import asyncio
import contextlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import structlog
import uvloop
from django.conf import settings

from notifications import metrics
from notifications.channels import registry
from notifications.channels.base import Rejected, TooFast, Unavailable
from notifications.channels.session import Session
from notifications.engine import wake
from notifications.engine.claim import RELEASE, Ask, Claimed, Claimer, report_lost
from notifications.engine.content import Content, Contents, message_of
from notifications.engine.database import Database, connection_parameters
from notifications.engine.fence import Batch, Fence, Fencer, TooLate
from notifications.engine.finalise import Finished, Ledger
from notifications.engine.lanes import EPOCH, MIN_CLAIM, Breaker, Lane
from notifications.engine.outcome import Result, ending_of, outcome_of, report
from notifications.engine.rate import Bucket
from notifications.engine.supervision import run_together, within
from notifications.engine.under_way import UnderWay
from notifications.models import PRIORITIES

log = structlog.get_logger(__name__)

# Deliveries that a small alert is taken to have.
EACH = 8
# A destination not heard of yet gets this much of the first claim.
FIRST_ROOM = 16
# Revocable sends of one lane that are begun under one transaction at most.
FENCED_AT_ONCE = 512
# Between two looks for what is revocable and due in a moment, in seconds.
LOOK_AHEAD_S = 0.01
# Between two looks at everything that is due, in seconds; what came in order is found by less.
LOOK_AT_ALL_S = 1.0
# What was claimed ahead is begun within this part of its lease, or given back.
START_WITHIN = 1 / 3
# Between a fault and the next try, and between two tries to reach the database, in seconds.
RESTART_S, DATABASE_RETRY_S = 1.0, 0.5
# Longest time, in seconds, that each thing which the end still asks of the database may take: it may be away.
STOP_WITHIN_S = 3.0
# Between two looks whether a lane with a rate may send, in seconds at least.
PACE_S = 0.001


def utc_now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """Claims due deliveries, sends them concurrently and writes the outcomes back in batches.

    ``start`` and ``stop`` run it in a thread; ``wake`` may be called from any thread. ``clock`` gives
    the wall-clock time that due times are compared with.
    """

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        # Not a standby, or a primary of old: one that takes no writes is as good as away.
        self._parameters = {"target_session_attrs": "read-write", **connection_parameters()}
        self._lanes: dict[str, Lane] = {}
        self._sends = UnderWay()
        self._unwritten: Sequence[Finished] = ()
        self._claimed = 0
        # True where the last look ended because too much is under way in all.
        self._full = False
        # Whether lanes are to be looked for, and which were found that are not known yet.
        self._looking, self._new_lanes, self._critical = True, set[str](), set[str]()
        self._look_at_all_at = 0.0
        # The last lane that was asked for, where there were more than a claim takes rows.
        self._served, self._left_out = "", False
        self._stopping = False
        self._claiming = self._fencing = True
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()

    # --- From other threads ------------------------------------------------------------------------

    def start(self) -> None:
        """Run in a thread of its own until ``stop``."""
        self._thread = threading.Thread(target=self._run_thread, name="sender", daemon=True)
        self._thread.start()
        self._started.wait()

    def wake(self, *, revocable: bool = True) -> None:
        """Look for due deliveries now; for revocable ones too, or not."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(self._on_wake, revocable=revocable))

    def has_room(self, count: int) -> bool:
        """Return whether it can take over deliveries of so many small alerts; from any thread."""
        room = settings.SENDER_CONCURRENCY - self._claimed
        return not self._stopping and room >= min(count * EACH, settings.SENDER_CONCURRENCY // 2)

    def take_over(self, rows: Sequence[tuple[Claimed, Content]]) -> None:
        """Send rows that were born claimed; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take_over, rows)

    def stop(self) -> None:
        """Claim nothing more, finish what is under way, write it down and end the thread."""
        self._stopping = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_stop)
        if self._thread is not None:
            # As long as it may take; leases bring back what a thread holds that doesn't end even so.
            self._thread.join(settings.LEASE_S + 4 * STOP_WITHIN_S)
            if self._thread.is_alive():
                log.error("sender_left_behind", sends=len(self._sends))

    def drain(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is due or under way any more; false where the time ran out."""
        waiting = asyncio.run_coroutine_threadsafe(self._drained(), self._running_loop())
        try:
            waiting.result(timeout_s)
        except TimeoutError:
            waiting.cancel()
            return False
        return True

    # --- The thread ----------------------------------------------------------------------------------

    def _run_thread(self) -> None:
        while not self._stopping:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self.run())
            except BaseException:
                # Whatever it was, leases bring back what it held; a worker that sends nothing is worse.
                log.exception("sender_failed")
                time.sleep(RESTART_S)
            finally:
                # Only now have the sends that were cut off handed in their outcomes too.
                self._unwritten = self._ledger.unwritten

    async def run(self) -> None:
        """Claim, send and write down until ``stop``."""
        self._loop = asyncio.get_running_loop()
        self._lanes, self._sends, self._claimed = {}, UnderWay(), 0
        self._outcome_database = Database(self._parameters, plans_once=True)
        self._ledger = Ledger(self._outcome_database, on_retry=self._look_now, unwritten=self._unwritten)
        self._woken, self._fence_woken = asyncio.Event(), asyncio.Event()
        self._stop_asked, self._claims_ended = asyncio.Event(), asyncio.Event()
        # One connection for both: what a fresh one has claimed, a stale one couldn't read the content of.
        claiming = Database(self._parameters)
        self._contents, self._claimer = Contents(claiming), Claimer(claiming)
        self._fencer = Fencer(self._parameters, self)
        self._next_look: asyncio.TimerHandle | None = None
        async with Session() as self._session:
            self._started.set()
            while not self._stopping:
                await self._work()
            await self._finish()

    async def _work(self) -> None:
        """Do all there is to do until ``stop``, or until a part of it fails: none goes on without the others.

        What is under way and what is held stay as they are, for the next time.
        """
        self._look_now()
        try:
            await run_together(
                self._until_stopped(),
                self._claim_forever(),
                self._fence_forever(),
                self._ledger.write_forever(),
                self._sends.watch_forever(),
                wake.listen(self._on_wake),
            )
        except Exception:
            log.exception("sender_failed")
            await asyncio.sleep(0 if self._stopping else RESTART_S)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None
        return self._loop

    @property
    def _idle(self) -> bool:
        looking = self._claiming or self._fencing or self._woken.is_set() or self._fence_woken.is_set()
        return not (looking or self._sends or self._ledger)

    async def _drained(self) -> None:
        self._look_now()
        while not self._idle:
            await asyncio.sleep(0.005)

    def _on_wake(self, *, revocable: bool) -> None:
        self._looking = True
        self._woken.set()
        if revocable:
            self._fence_woken.set()

    def _look_now(self) -> None:
        """Look at everything, as at a start."""
        self._looking, self._look_at_all_at = True, 0.0
        self._woken.set()
        self._fence_woken.set()

    def _on_stop(self) -> None:
        self._stop_asked.set()
        self._look_now()

    async def _until_stopped(self) -> None:
        """Wait for ``stop``, give back what was not begun, and wait for what was."""
        await self._stop_asked.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._claims_ended.wait()
        await self._sends_finish()

    async def _sends_finish(self) -> None:
        await within(STOP_WITHIN_S, self._release(*self._lanes.values()))
        await self._sends.finish(settings.LEASE_S)

    async def _finish(self) -> None:
        """Write all down."""
        await self._sends_finish()  # what a fault has kept from it
        try:
            if not await within(STOP_WITHIN_S, self._ledger.write()):
                log.warning("outcomes_left", count=len(self._ledger))
        except psycopg.OperationalError as error:
            log.warning("outcomes_left", count=len(self._ledger), error=str(error).strip())
        for user in (self._claimer, self._contents, self._fencer, self._outcome_database):
            await user.close()

    # --- Claiming ------------------------------------------------------------------------------------

    async def _claim_forever(self) -> None:
        while not self._stopping:
            self._claiming = True
            self._woken.clear()
            try:
                again = await self._claim()
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error).strip())
                await self._until_database_is_back()
                self._look_now()  # it may have forgotten what was claimed
                continue
            if not again:
                self._claiming = False
                await self._woken.wait()
        self._claims_ended.set()

    async def _until_database_is_back(self) -> None:
        """Wait, and write down what was sent before claiming again: a crash may have undone its claim."""
        self._ledger.doubt()
        while not self._stopping:
            await asyncio.sleep(DATABASE_RETRY_S)
            with contextlib.suppress(psycopg.OperationalError):
                await self._ledger.write()
                await self._outcome_database.rows("SELECT 1", {})
                return

    @property
    def _worth_in_all(self) -> int:
        return min(MIN_CLAIM, max(1, settings.SENDER_CONCURRENCY // 4))

    def _times(self) -> tuple[datetime, datetime]:
        now = self._clock()
        return now, now + timedelta(seconds=settings.LEASE_S)

    async def _claim(self) -> bool:
        """Claim and start what there is room for; returns whether to look again at once."""
        limit = settings.SENDER_CONCURRENCY - self._claimed
        if limit < self._worth_in_all:
            self._full = True
            return False
        now, lease_until = self._times()
        if self._looking:
            await self._look_for_lanes(now)
        asked = self._asked(limit)
        if not asked:
            metrics.looked(metrics.ORDINARY)
            return self._looking
        taken = await self._claimer.take(asked, now=now, lease_until=lease_until)
        metrics.looked(metrics.ORDINARY)
        report_lost(taken)
        rows = [row for row in taken if not row.is_over]
        self.end([row for row in taken if row.is_over])
        counts = Counter(row.lane for row in taken)
        contents = await self._contents.of(rows)
        start_by = time.monotonic() + settings.LEASE_S * START_WITHIN
        for row, content in zip(rows, contents, strict=True):
            if content is not None:  # else it was deleted, and its deliveries with it
                lane = self._lane(row)
                lane.seen(row.priority, row.due_at)
                lane.add(row, content, start_by)
                self._claimed += 1
        for each in asked:
            lane_ = self._lanes.get(each.lane)
            if lane_ is not None:
                if each.room:
                    lane_.drained = counts[each.lane] < each.room
                if counts[each.lane]:
                    lane_.claimed()
                    self._start(lane_)
        return self._looking or self._left_out or any(counts[each.lane] >= each.room for each in asked)

    def _take_over(self, rows: Sequence[tuple[Claimed, Content]]) -> None:
        start_by = time.monotonic() + settings.LEASE_S * START_WITHIN
        touched: dict[str, Lane] = {}
        for row, content in rows:
            lane = touched[row.lane] = self._lane(row)
            lane.add(row, content, start_by)
            self._claimed += 1
        for lane in touched.values():
            self._start(lane)

    async def _look_for_lanes(self, now: datetime) -> None:
        """Find the lanes in which something is due: what came while nobody asked for it."""
        started = time.monotonic()
        look_at_all = started >= self._look_at_all_at
        next_at = started + LOOK_AT_ALL_S if look_at_all else self._look_at_all_at
        self._looking, self._look_at_all_at = False, next_at  # whoever wakes it meanwhile has it look again
        lanes = await self._claimer.due_lanes(now)
        self._looking = self._looking or self._claimer.has_more_lanes
        for name, is_critical in lanes.items():
            lane = self._lanes.get(name)
            if is_critical:
                self._critical.add(name)
            if lane is None:
                self._new_lanes.add(name)
            else:
                lane.drained = False
                if look_at_all:
                    lane.look_at_all()
        if look_at_all and self._look_at_all_at == next_at:
            self._look_at_all_at = max(next_at, started + (time.monotonic() - started) * 50)

    def _asked(self, limit: int) -> list[Ask]:
        """Return what to claim of each lane, so that each gets its share, and all stay within the limit."""
        now = time.monotonic()
        rooms = {
            lane.name: (lane.room(now) if lane.worth_a_claim(now) else 0, lane.since)
            for lane in self._lanes.values()
            if not lane.drained and lane.closed_until(now) is None
        }
        rooms |= {name: (FIRST_ROOM, [EPOCH] * len(PRIORITIES)) for name in self._new_lanes - rooms.keys()}
        # What is critical waits for no room, but for what others of its kind take.
        names = [name for name, (room, _) in rooms.items() if room > 0 or name in self._critical]
        self._left_out = len(names) > limit
        if self._left_out:  # the others go first the next time
            names = sorted(names, key=lambda name: (name <= self._served, name))[:limit]
            self._served = names[-1]
        share = max(1, limit // max(1, len(names)))
        asked = []
        for name in names:
            room, since = rooms[name]
            room = max(0, min(room, share))
            critical = max(room, min(FIRST_ROOM, share)) if name in self._critical else room
            asked.append(Ask(name, room, critical, since))
        self._new_lanes.difference_update(names)
        self._critical.difference_update(names)
        return asked

    def end(self, rows: Sequence[Claimed]) -> None:
        """End what is over: its worker was lost, and it was stopped meanwhile or has cost too many."""
        for row in rows:
            self._ledger.add(ending_of(row, now=self._clock()))

    async def _fence_forever(self) -> None:
        """Begin what is due and revocable, lane by lane, none of them waiting for another."""
        busy: set[str] = set()
        while not self._stopping:
            self._fencing = False
            await self._fence_woken.wait()
            self._fencing = True
            self._fence_woken.clear()
            try:
                lanes = await self._fencer.due_lanes(self._clock())
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error).strip())
                await asyncio.sleep(DATABASE_RETRY_S)
                self._fence_woken.set()
                continue
            metrics.looked(metrics.REVOCABLE)
            if self._fencer.has_more_lanes:
                self._fence_woken.set()
            elif self._fencer.next_due_at is not None:
                self._look_ahead(self._fencer.next_due_at)
            for name in lanes:
                if name not in busy and self._worth_a_batch(name):
                    busy.add(name)
                    self._sends.spawn(self._begin_lane(name, busy))

    def _room_at_the_front(self, name: str) -> int:
        lane = self._lanes.get(name)
        room = lane.room_at_the_front(time.monotonic()) if lane else FIRST_ROOM
        return max(0, min(room, FENCED_AT_ONCE))  # its width may have been halved since it was looked at

    def _worth_a_batch(self, name: str) -> bool:
        lane = self._lanes.get(name)
        return lane is None or lane.worth_a_batch(time.monotonic())

    def _look_ahead(self, due_at: datetime) -> None:
        """Look for what is revocable when the next of it is due."""
        if self._next_look is not None:
            self._next_look.cancel()
        delay_s = max((due_at - self._clock()).total_seconds(), LOOK_AHEAD_S)
        self._next_look = self._running_loop().call_later(delay_s, self._fence_woken.set)

    async def _begin_lane(self, name: str, busy: set[str]) -> None:
        """Begin what the lane has room for, batch after batch while there is more and room enough."""
        begun = 0
        try:
            while not self._stopping:
                room = self._room_at_the_front(name)
                if not room:
                    break
                now, lease_until = self._times()
                begun = await self._fencer.begin(name, room=room, now=now, lease_until=lease_until)
                lane = self._lanes.get(name)
                if lane is None:
                    break
                lane.fenced_drained = begun < room
                if lane.fenced_drained or not lane.worth_a_batch(time.monotonic()):
                    break
        except psycopg.OperationalError as error:
            log.warning("database_away", error=str(error).strip())
            self._running_loop().call_later(DATABASE_RETRY_S, self._fence_woken.set)
        except Exception:  # of this lane only; the next sweep has it tried again
            log.exception("lane_failed", lane=name)
        finally:
            busy.discard(name)
            if begun:  # what is next in line may be due in a moment
                self._fence_woken.set()

    def _lane(self, row: Claimed) -> Lane:
        lane = self._lanes.get(row.lane)
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
            lane = self._lanes[row.lane] = Lane(
                row.lane, channel.concurrency, breaker, channel.timeout_s, rate, channel.hold_max_s
            )
        lane.last_used = time.monotonic()
        return lane

    def _forget_idle_lanes(self) -> None:
        """Keep the list short where every person has a destination of their own."""
        if len(self._lanes) < 1000:
            return
        horizon = time.monotonic() - 60
        for lane in list(self._lanes.values()):
            if (
                lane.last_used < horizon
                and not lane.in_flight
                and not lane.ready
                and not lane.breaker.failures
                and time.monotonic() > lane.held_until
            ):
                del self._lanes[lane.name]

    # --- Sending -------------------------------------------------------------------------------------

    def _pump(self, lane: Lane) -> None:
        """Start what the lane has ready, as far as its width goes."""
        while following := self._next(lane):
            self._sends.spawn(self._serve(lane, following))
        if lane.ready and lane.rate is not None and not lane.pump_is_due:
            wait_s = lane.rate.wait_s(time.monotonic(), front=lane.ready[0][3] is not None)
            if wait_s or not lane.in_flight:  # else it waits for a send to end, which pumps too
                lane.pump_is_due = True
                self._running_loop().call_later(max(wait_s, PACE_S), self._pump_on, lane)

    def _start(self, lane: Lane) -> None:
        """Start what has come for a lane, or give it back where the lane has been closed meanwhile."""
        if self._stopping or lane.closed_until(time.monotonic()) is not None:
            self._sends.spawn(self._release(lane))
        else:
            self._pump(lane)

    def _reopen(self, lane: Lane) -> None:
        self._pump(lane)
        self._look_now()

    def _pump_on(self, lane: Lane) -> None:
        lane.pump_is_due = False
        self._pump(lane)

    def _next(self, lane: Lane) -> tuple[Claimed, Content, Fence | None] | None:
        """Take what the lane has ready next, if it may begin now."""
        now = time.monotonic()
        if not lane.ready or not lane.may_begin(now, front=lane.ready[0][3] is not None):
            return None
        row, content, start_by, fence = lane.ready[0]
        if now > start_by:
            self._sends.spawn(self._release(lane))
            return None
        lane.ready.popleft()
        lane.begin(now)
        if fence is not None:
            fence.taken = True
        return row, content, fence

    async def _serve(self, lane: Lane, following: tuple[Claimed, Content, Fence | None] | None) -> None:
        """Send one after the other while the lane has any: a task for each would cost more."""
        task = asyncio.current_task()
        assert task is not None
        while following:
            await self._send(lane, task, *following)
            fenced = following[2] is not None
            following = self._next(lane)
            self._pump(lane)
            self._claim_more(lane, fenced=fenced)

    async def take_up(self, rows: Sequence[Claimed]) -> Batch:
        """Take up locked rows of one lane (notifications.engine.fence), before all that it has ready."""
        contents = await self._contents.of(rows)
        batch = Batch(len(rows), write=self._ledger.add, clock=self._clock)
        lane = self._lane(rows[0])
        lane.claimed()
        for row, content, fence in reversed(list(zip(rows, contents, batch.fences, strict=True))):
            if content is None:  # deleted, and its deliveries with it
                batch.leave_out(1)
            else:
                lane.ready.appendleft((row, content, math.inf, fence))
                self._claimed += 1
        self._pump(lane)
        return batch

    def give_back(self, batch: Batch) -> int:
        """Take nothing more of a batch up; returns how many were not."""
        count = 0
        if not all(fence.taken for fence in batch.fences):
            for lane in self._lanes.values():
                kept = [each for each in lane.ready if each[3] is None or each[3].batch is not batch]
                count += len(lane.ready) - len(kept)
                lane.ready = deque(kept)
        self._claimed -= count
        return count

    async def _send(
        self, lane: Lane, task: "asyncio.Task[None]", row: Claimed, content: Content, fence: Fence | None
    ) -> None:
        channel = registry.sendable(row.channel)
        started_at, started = self._clock(), time.perf_counter()
        self._sends.limit(task, lane.timeout_s)
        if fence is not None:
            fence.task = task
        result: Result
        try:
            message = message_of(row, content, on_begin=fence.begin if fence else None)
            result = await channel.send(message, self._session)
        except (Rejected, Unavailable) as failure:
            result = failure
        except TooLate:
            result = Unavailable("could not begin in time")
        except asyncio.CancelledError:
            task.uncancel()
            waited_s = time.perf_counter() - started
            begun = fence is None or fence.begun_at is not None
            result = Unavailable(f"no answer within {waited_s:.1f} s" if begun else "could not begin in time")
        except Exception as error:  # a fault in a channel must cost its own delivery only
            log.exception("channel_fault", channel=row.channel, delivery=str(row.id))
            result = Unavailable(f"channel fault: {type(error).__name__}")
        self._sends.lift(task)
        duration_ms = (time.perf_counter() - started) * 1000
        if fence is not None and fence.begun_at is not None:
            # Not when it was taken up, which may have been before a connection was there.
            duration_ms -= (fence.begun_at - started_at).total_seconds() * 1000
            started_at = fence.begun_at
        try:
            finished = outcome_of(
                channel, row, result, started_at=started_at, duration_ms=duration_ms, now=self._clock()
            )
            if finished.due_at is not None:
                self._look_at(finished.due_at)
            report(row, finished)
            if fence is not None:
                fence.end(finished)
            else:
                self._ledger.add(finished)
        except Exception:  # of this delivery only: the next sweep after its lease makes it due again
            log.exception("outcome_fault", channel=row.channel, delivery=str(row.id))
            if fence is not None:
                fence.give_up()
        self._after_send(lane, result, stalled=duration_ms >= lane.timeout_s * 900)

    def _look_at(self, due_at: datetime) -> None:
        """Look again when a retry is due, more exactly than the sweep's second."""
        delay_s = (due_at - self._clock()).total_seconds()
        self._running_loop().call_later(max(0.0, delay_s) + 0.001, self._look_now)

    def _after_send(self, lane: Lane, result: Result, *, stalled: bool) -> None:
        self._claimed -= 1
        lane.in_flight -= 1
        now = time.monotonic()
        if self._full and settings.SENDER_CONCURRENCY - self._claimed >= self._worth_in_all:
            self._full = False
            self._woken.set()
        if isinstance(result, TooFast):
            lane.congested(now, retry_after_s=result.retry_after)
        elif isinstance(result, Unavailable):
            lane.failed(now, stalled=stalled)
        else:  # a refusal is an answer too: the destination is there
            lane.succeeded()
        if (closed_until := lane.closed_until(now)) is not None:
            self._running_loop().call_later(closed_until - now + 0.001, self._reopen, lane)
            if lane.ready:
                self._sends.spawn(self._release(lane))

    def _claim_more(self, lane: Lane, *, fenced: bool) -> None:
        """Look for more where the lane has room for it."""
        now = time.monotonic()
        if fenced:
            if not lane.fenced_drained and lane.worth_a_batch(now):
                self._fence_woken.set()
            elif not lane.fenced_drained and lane.rate and (wait_s := lane.rate.wait_s(now, front=True)):
                self._running_loop().call_later(max(wait_s, PACE_S), self._fence_woken.set)
        elif not lane.drained and lane.worth_a_claim(now):
            self._woken.set()

    async def _release(self, *lanes: Lane) -> None:
        """Give back what was claimed ahead and can't be begun while its lease is fresh."""
        rows = [row for lane in lanes for row, _, _, fence in lane.ready if fence is None]
        for lane in lanes:
            lane.ready = deque(each for each in lane.ready if each[3] is not None)
            lane.look_at_all()
            lane.drained = False
        self._claimed -= len(rows)
        if rows:
            with contextlib.suppress(psycopg.OperationalError):
                await self._outcome_database.rows(
                    RELEASE, {"ids": [row.id for row in rows], "attempts": [row.attempt for row in rows]}
                )
            self._woken.set()
