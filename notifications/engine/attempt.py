"""One attempt: a send, how long it may take, and what came of it."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from notifications.channels import registry
from notifications.channels.base import Rejected, Unavailable
from notifications.channels.session import Session
from notifications.engine.claim import Claimed
from notifications.engine.content import Content, message_of
from notifications.engine.fence import Fence, TooLate
from notifications.engine.finalise import Ledger
from notifications.engine.outcome import Result, outcome_of, report
from notifications.engine.under_way import UnderWay
from notifications.engine.wakeups import Wakeups

log = structlog.get_logger(__name__)

# A send that took this part of its time limit has stalled.
STALLED = 0.9


class Attempts:
    """Makes attempts, and hands their outcomes to the ledger."""

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        sends: UnderWay,
        wakeups: Wakeups,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._ledger = ledger
        self._sends = sends
        self._wakeups = wakeups
        self._clock = clock

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
        return result, duration_ms >= timeout_s * 1000 * STALLED
