"""The worker's sender: one event loop in a thread of its own that claims, sends and writes down.

Jobs only wake it, so a slow destination never holds up a fan-out or an event handler, and hung sends
outlive the job that began them. Its parts: `claim_loop` and `fence_loop` find what is due, `pump` begins it
as each lane allows, `attempt` sends, and the ledger (`finalise`) writes down what came of it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import psycopg
import structlog
import uvloop
from django.conf import settings

from config import clock
from notifications.channels.transport.session import Session
from notifications.database import RETRY_S, Database, connection_parameters
from notifications.engine import wake
from notifications.engine.allowed import Allowed
from notifications.engine.attempt import Attempts
from notifications.engine.claim import Claimed, Claimer
from notifications.engine.claim_loop import ClaimLoop
from notifications.engine.content import Content, Contents
from notifications.engine.fence_loop import FenceLoop
from notifications.engine.fencer import Fencer
from notifications.engine.finalise import Finished, Ledger
from notifications.engine.peers import Peers
from notifications.engine.pump import Pump
from notifications.engine.supervision import run_together, within
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

log = structlog.get_logger(__name__)

# Between a fault and the next try, in seconds.
RESTART_S = 1.0
# Longest time, in seconds, that each thing which the end still asks of the database may take: it may be away.
STOP_WITHIN_S = 3.0


class Sender:
    """Claims due deliveries, sends them concurrently and writes the outcomes back in batches.

    ``start`` and ``stop`` run it in a thread; ``wake`` may be called from any thread. ``clock`` gives
    the wall-clock time that due times are compared with.
    """

    def __init__(self, *, clock: Callable[[], datetime] = clock.now) -> None:
        self._clock = clock
        # Not a standby, or a primary of old: one that takes no writes is as good as away.
        self._parameters = {"target_session_attrs": "read-write", **connection_parameters()}
        self._unwritten: Sequence[Finished] = ()
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- From other threads ------------------------------------------------------------------------

    def start(self) -> None:
        """Run in a thread of its own until ``stop``."""
        self._thread = threading.Thread(target=self._run_thread, name="sender", daemon=True)
        self._thread.start()
        self._started.wait()

    def wake(self, *, revocable: bool = True) -> None:
        """Look for due deliveries now; for revocable ones too, or not."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(self._wakeups.wake, revocable=revocable))

    def has_room(self, count: int) -> bool:
        """Return whether it can take over deliveries of so many small alerts; from any thread."""
        return not self._stopping.is_set() and self._pump.has_room(count)

    def take_over(self, rows: Sequence[tuple[Claimed, Content]]) -> None:
        """Send rows that were born claimed; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pump.take_over, rows)

    def stop(self) -> None:
        """Claim nothing more, finish what is under way, write it down and end the thread."""
        self._stopping.set()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop_asked.set)
            self._loop.call_soon_threadsafe(self._wakeups.look_now)
        if self._thread is not None:
            # As long as it may take; leases bring back what a thread holds that doesn't end even so.
            self._thread.join(settings.LEASE_S + 4 * STOP_WITHIN_S)
            if self._thread.is_alive():
                log.error("sender_left_behind", sends=len(self._sends))

    def drain(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is due or under way any more; false where the time ran out."""
        assert self._loop is not None
        waiting = asyncio.run_coroutine_threadsafe(self._drained(), self._loop)
        try:
            waiting.result(timeout_s)
        except TimeoutError:
            waiting.cancel()
            return False
        return True

    # --- The thread ----------------------------------------------------------------------------------

    def _run_thread(self) -> None:
        while not self._stopping.is_set():
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self.run())
            except BaseException:
                # Whatever it was, leases bring back what it held; a worker that sends nothing is worse.
                log.exception("sender_failed")
                self._stopping.wait(RESTART_S)
            finally:
                # Only now have the sends that were cut off handed in their outcomes too.
                self._unwritten = self._ledger.unwritten

    async def run(self) -> None:
        """Claim, send and write down until ``stop``."""
        async with Session() as session:
            self._build(session)
            self._loop = asyncio.get_running_loop()
            self._started.set()
            await self._until_the_time_is_known()
            while not self._stopping.is_set():
                await self._work()
            await self._sends_finish()  # what a fault has kept from it
            try:
                if not await within(STOP_WITHIN_S, self._ledger.write()):
                    log.warning("outcomes_left", count=len(self._ledger))
            except psycopg.OperationalError as error:
                log.warning("outcomes_left", count=len(self._ledger), error=str(error).strip())
            for user in (self._claimer, self._contents, self._fencer, self._outcome_database, self._peers):
                await user.close()

    def _build(self, session: Session) -> None:
        clock, stopping, parameters = self._clock, self._stopping, self._parameters
        self._stop_asked = asyncio.Event()
        self._sends, self._wakeups = UnderWay(), Wakeups(clock)
        self._outcome_database = Database(parameters, plans_once=True)
        self._ledger = Ledger(
            self._outcome_database, on_retry=self._wakeups.look_now, unwritten=self._unwritten
        )
        attempts = Attempts(session, self._ledger, self._sends, self._wakeups, clock)
        self._peers = Peers()
        self._pump = Pump(
            attempts, self._sends, self._wakeups, self._outcome_database, self._peers, clock, stopping
        )
        # One connection for both: what a fresh one has claimed, a stale one couldn't read the content of.
        claiming = Database(parameters)
        self._contents, self._claimer = Contents(claiming), Claimer(claiming)
        allowed = Allowed(self._peers)
        self._claim_loop = ClaimLoop(
            self._claimer,
            self._contents,
            allowed,
            self._ledger,
            self._pump,
            self._wakeups,
            self._outcome_database,
            clock,
            stopping,
        )
        self._fencer = Fencer(parameters, self._contents, allowed, self._pump, self._ledger, clock)
        self._fence_loop = FenceLoop(self._fencer, self._pump, self._sends, self._wakeups, clock, stopping)

    async def _until_the_time_is_known(self) -> None:
        """Connect, which asks PostgreSQL for it: by a clock that is off, others' leases would be over."""
        while not self._stopping.is_set():
            try:
                await self._outcome_database.rows("SELECT 1", {})
                return
            except psycopg.OperationalError as error:
                log.warning("database_away", error=str(error).strip())
                await asyncio.sleep(RETRY_S)

    async def _work(self) -> None:
        """Do all there is to do until ``stop``, or until a part of it fails: none goes on without the others.

        What is under way and what is held stay as they are, for the next time.
        """
        await self._pump.news.catch_up()
        self._wakeups.look_now()
        try:
            await run_together(
                self._until_stopped(),
                self._claim_loop.run(),
                self._fence_loop.run(),
                self._ledger.write_forever(),
                self._sends.watch_forever(),
                wake.listen(self._wakeups.wake),
                self._outcome_database.keep_time(),
                self._pump.news.listen_forever(),
            )
        except Exception:
            log.exception("sender_failed")
            await asyncio.sleep(0 if self._stopping.is_set() else RESTART_S)

    async def _drained(self) -> None:
        self._wakeups.look_now()
        while (
            self._wakeups.claims.is_set()
            or self._wakeups.fenced.is_set()
            or self._claim_loop.is_busy
            or self._fence_loop.is_busy
            or self._pump.lanes.are_gathering
            or self._sends
            or self._ledger
        ):
            await asyncio.sleep(0.005)

    async def _until_stopped(self) -> None:
        """Wait for ``stop``, give back what was not begun, and wait for what was."""
        await self._stop_asked.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._claim_loop.ended.wait()
        await self._sends_finish()

    async def _sends_finish(self) -> None:
        await within(STOP_WITHIN_S, self._pump.release(*self._pump.lanes.values()))
        await self._sends.finish(settings.LEASE_S)
