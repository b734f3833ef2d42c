"""One attempt, or those of a parcel: a send, how long it may take, and what came of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from notifications.channels import registry
from notifications.channels.message import Receipt, Rejected, TooFast, Unavailable
from notifications.channels.transport.session import Session
from notifications.engine.claim import Claimed
from notifications.engine.content import Content, message_of
from notifications.engine.fence import Fence, TooLate
from notifications.engine.finalise import Ledger
from notifications.engine.outcome import Result, outcome_of, report
from notifications.engine.parcels import Parcel
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

log = structlog.get_logger(__name__)

# A send that took this part of its time limit has stalled.
STALLED = 0.9


@dataclass(eq=False)
class Attempts:
    """Makes attempts, and hands their outcomes to the ledger."""

    _session: Session
    _ledger: Ledger
    _sends: UnderWay
    _wakeups: Wakeups
    _clock: Callable[[], datetime]

    async def make(
        self,
        row: Claimed,
        content: Content,
        fence: Fence | None,
        *,
        timeout_s: float,
        task: "asyncio.Task[None]",
    ) -> tuple[Result, bool]:
        """Send a row in the present task; returns what came of it, and whether it stalled."""
        channel = registry.sendable(row.channel)
        started_at, started = self._clock(), time.perf_counter()
        self._sends.limit(task, timeout_s)
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
        except (Exception, asyncio.CancelledError) as error:
            begun = fence is None or fence.begun_at is not None
            result = _fault(error, row, task, waited_s=time.perf_counter() - started, begun=begun)
        self._sends.lift(task)
        duration_ms = (time.perf_counter() - started) * 1000
        if fence is not None and fence.begun_at is not None:
            # Not when it was taken up, which may have been before a connection was there.
            duration_ms -= (fence.begun_at - started_at).total_seconds() * 1000
            started_at = fence.begun_at
        self._conclude(row, result, fence, started_at=started_at, duration_ms=duration_ms)
        return result, duration_ms >= timeout_s * 1000 * STALLED

    async def make_together(
        self, parcel: Parcel, *, timeout_s: float, task: "asyncio.Task[None]"
    ) -> tuple[Result, bool]:
        """Send a parcel in the present task; returns what came of the request, and whether it stalled.

        Each of its rows has an outcome then, unless all were refused for what may be the fault of one.
        """
        first, _ = parcel.rows[0]
        channel = registry.sendable(first.channel)
        started_at, started = self._clock(), time.perf_counter()
        self._sends.limit(task, timeout_s)
        result: Result = Receipt()
        results: list[Result] = []
        try:
            if parcel.is_too_late:
                raise Unavailable("refused together with others, and too late to be told apart")
            messages = [message_of(row, content, on_begin=None) for row, content in parcel.rows]
            results = await channel.send_batch(messages, self._session, parcel.batching)
            # The destination answers, though it may ask for less.
            result = next((each for each in results if isinstance(each, TooFast)), Receipt())
        except (Rejected, Unavailable) as failure:
            result = failure
        except (Exception, asyncio.CancelledError) as error:
            result = _fault(error, first, task, waited_s=time.perf_counter() - started, begun=True)
        self._sends.lift(task)
        duration_ms = (time.perf_counter() - started) * 1000
        if not parcel.is_refused_whole(result):
            for (row, _), each in zip(parcel.rows, results or [result] * len(parcel), strict=True):
                self._conclude(row, each, None, started_at=started_at, duration_ms=duration_ms)
        return result, duration_ms >= timeout_s * 1000 * STALLED

    def _conclude(
        self, row: Claimed, result: Result, fence: Fence | None, *, started_at: datetime, duration_ms: float
    ) -> None:
        """Hand in what came of a row."""
        channel = registry.sendable(row.channel)
        try:
            finished = outcome_of(
                channel, row, result, started_at=started_at, duration_ms=duration_ms, now=self._clock()
            )
            if finished.due_at is not None:
                self._wakeups.look_at(finished.due_at)
            report(row, finished)
            if fence is not None:
                fence.end(finished)
            else:
                self._ledger.add(finished)
        except Exception:  # of this delivery only: the next sweep after its lease makes it due again
            log.exception("outcome_fault", channel=row.channel, delivery=str(row.id))
            if fence is not None:
                fence.give_up()


def _fault(
    error: BaseException, row: Claimed, task: "asyncio.Task[None]", *, waited_s: float, begun: bool
) -> Unavailable:
    """Return what a send came to that took too long, or in which a channel failed."""
    if isinstance(error, asyncio.CancelledError):
        task.uncancel()
        return Unavailable(f"no answer within {waited_s:.1f} s" if begun else "could not begin in time")
    # It must cost its own delivery only.
    log.error("channel_fault", channel=row.channel, delivery=str(row.id), exc_info=error)
    return Unavailable(f"channel fault: {type(error).__name__}")
