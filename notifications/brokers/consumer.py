"""The loop of ``manage.py consume``: take, have it take effect, acknowledge; for ever, whatever goes away."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from config import clock
from notifications import metrics
from notifications.brokers import formats, taking
from notifications.brokers.amqp import AmqpIntake
from notifications.brokers.health import Beat
from notifications.brokers.intake import BrokerAway, Delivered, Intake
from notifications.brokers.sources import Source
from notifications.brokers.sqs import SqsIntake
from notifications.brokers.stopping import Stop
from notifications.brokers.taking import DatabaseAway, Outcome, Taken

log = structlog.get_logger(__name__)

#: How long one look at the broker waits; so soon a stop is noticed.
LOOK_S: Final = 1.0
RECONNECT_FIRST_S: Final = 0.5
#: A connection that held for so long was a good one: the waits begin anew.
STEADY_S: Final = 10.0
DATABASE_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A message that is tried again at ``due``, by the monotonic clock."""

    delivered: Delivered
    due: float


class Consumer:
    """Reads one source until it is told to stop."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.format = formats.get(source.format)
        self.beat = Beat(source.name)
        self.stop = Stop()
        self._held: list[Held] = []
        self._lag_s = 0.0

    def run(self) -> None:
        """Consume until ``stop`` is set; a broker that is away is tried again, for ever."""
        losses = 0
        while not self.stop.is_set():
            intake = open_intake(self.source)
            began, reason = math.inf, ""
            try:
                intake.connect()
                began = time.monotonic()
                log.info("broker_connected", source=self.source.name, queue=self.source.queue)
                self._serve(intake)
            except BrokerAway as error:
                losses = 1 if time.monotonic() - began > STEADY_S else losses + 1
                reason = str(error)
            finally:
                # What is still held is the broker's again, and comes back as redelivered.
                self._held.clear()
                intake.close()
            if reason:
                wait_s = taking.wait_s(losses, first_s=RECONNECT_FIRST_S)
                log.warning("broker_away", source=self.source.name, error=reason, retry_in_s=wait_s)
                end = time.monotonic() + wait_s
                while not self.stop.is_set() and (left := end - time.monotonic()) > 0:
                    self._say(connected=False, detail=reason)
                    self.stop.wait(min(left, LOOK_S))
        self.beat.leave()

    def _serve(self, intake: Intake) -> None:
        while not self.stop.is_set():
            room, taken = self.source.prefetch - len(self._held), list[Delivered]()
            if room > 0:
                taken = intake.take(most=room, timeout_s=self._patience())
            else:  # everything that may be held is held, and waits
                self.stop.wait(self._patience())
            ready, now = self._behind_their_group(taken), time.monotonic()
            ready += [each.delivered for each in self._held if each.due <= now]
            self._held = [each for each in self._held if each.due > now]
            self._settle(intake, ready)
            intake.keep([each.delivered for each in self._held])
            self._say(connected=True)
        intake.give_back([each.delivered for each in self._held])

    def _settle(self, intake: Intake, batch: Sequence[Delivered]) -> None:
        """Have a batch take effect, and say so to the broker."""
        if not batch:
            self._lag_s = 0.0
            return
        results = self._take(intake, batch)
        if results is None:
            return
        done: list[Delivered] = []
        now = time.monotonic()
        for delivered, result in zip(batch, results, strict=True):
            if result.outcome in (Outcome.AGAIN, Outcome.BEHIND):
                self._held.append(Held(delivered, now + result.wait_s))
            else:
                done.append(delivered)
        intake.acknowledge(done)
        if done:
            received = [each.message.sent_at or each.message.delivered_at for each in done]
            read_at = clock.now()
            ages = [max((read_at - at).total_seconds(), 0.0) for at in received]
            self._lag_s = max(ages)
            metrics.observe("message_age", *ages)

    def _take(self, intake: Intake, batch: Sequence[Delivered]) -> list[Taken] | None:
        """Try until PostgreSQL is there; None when told to stop before that: then they go back."""
        messages = [each.message for each in batch]
        while True:
            try:
                return taking.messages_take(self.source, self.format, messages, now=clock.now())
            except DatabaseAway as error:
                log.warning("database_away", source=self.source.name, held=len(batch), error=str(error))
            if self.stop.wait(DATABASE_WAIT_S):
                intake.give_back(batch)
                return None
            intake.keep([*batch, *(each.delivered for each in self._held)])
            self._say(connected=True, detail="PostgreSQL is away.")

    def _behind_their_group(self, taken: Sequence[Delivered]) -> list[Delivered]:
        """Return what may be tried now; what belongs behind one that is held waits with it."""
        if not self.source.ordered or not self._held:
            return list(taken)
        due_of = {each.delivered.message.group: each.due for each in self._held}
        ready = []
        for delivered in taken:
            if delivered.message.group in due_of:
                self._held.append(Held(delivered, due_of[delivered.message.group]))
            else:
                ready.append(delivered)
        return ready

    def _patience(self) -> float:
        if not self._held:
            return LOOK_S
        return min(LOOK_S, max(0.01, min(each.due for each in self._held) - time.monotonic()))

    def _say(self, *, connected: bool, detail: str = "") -> None:
        self.beat.say(connected=connected, detail=detail, lag_s=self._lag_s, held=len(self._held))


def open_intake(source: Source) -> Intake:
    """Return what reads a source, not yet connected."""
    return SqsIntake(source) if source.is_sqs else AmqpIntake(source)
