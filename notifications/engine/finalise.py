"""Writing down what came of the attempts: many at once, each only if it still is the latest claim."""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
import structlog
from django.conf import settings
from psycopg.errors import UniqueViolation

from config.statements import named
from notifications import metrics
from notifications.database import RETRY_S, Database, array
from notifications.reasons import Reason

log = structlog.get_logger(__name__)

#: The outcome of what a limit kept from being tried: it is no attempt.
WITHHELD: Final = "withheld"
# Outcomes written in one statement at most.
BATCH = 1000
# Longer than a commit that is not waited for can be undone by a crash: three times wal_writer_delay, 0.2 s.
RECENT_S = 1.0

# One statement for a whole batch. The number of the attempt is the fence: where the lease was lost and
# another worker has claimed the row since, the row is left alone, and _RECORD has the attempt recorded. A
# lower number in the row is a claim that a crash of PostgreSQL undid; nobody has claimed it since. A stop
# that came while the send was under way (revoked_at) turns a retry into the end. It has left the delivery
# alone, whose update could not follow another's here: PostgreSQL runs what changes rows in a WITH only once.
#
# What has ended leaves the queue; its delivery is finished by an update that no index sees.
#
# Nearly all of a batch was sent, and has nothing to add to that: reading the rest of an outcome from JSON
# costs PostgreSQL as much as writing it down, so only what has more to say is in ``more``. What is plain is
# written into the delivery; only the rest gets a row of its own, which would cost a third of all this
# (docs/adr/0038).
#
# Rows are taken in the order of their ids, as a stop locks them (notifications.engine.stop): several of one
# process, or of one contact point, are often in one batch, and the two would deadlock. A nested loop keeps
# that order, and there is no other plan where there is no hash join (notifications.database); should one come
# up all the same, PostgreSQL ends the deadlock after a second, and the batch is written again.
_FENCE = """(outgoing.attempts < outcome.number
            OR (outgoing.attempts = outcome.number AND outgoing.lease_until IS NOT NULL))"""
# The months that a batch's deliveries lie in, so that PostgreSQL leaves all others alone.
_THEIR_MONTHS = "delivery.id BETWEEN %(first_id)s AND %(last_id)s"
_OUTCOME = """
WITH outcome AS MATERIALIZED (
    SELECT plain.id, plain.number, to_timestamp(plain.started_at) AS started_at, plain.duration_ms,
           plain.status_code, coalesce(more.status, 'sent') AS status, coalesce(more.reason, '') AS reason,
           more.due_at, coalesce(more.failures, 0) AS failures, coalesce(more.outcome, 'sent') AS outcome,
           coalesce(more.error, '') AS error, coalesce(more.reference, '') AS reference,
           more.id IS NULL AS is_plain
      FROM unnest(%(ids)s::uuid[], %(numbers)s::int[], %(started_at)s::float8[], %(durations_ms)s::float8[],
                  %(status_codes)s::int[]) AS plain (id, number, started_at, duration_ms, status_code)
      LEFT JOIN json_to_recordset(%(more)s::json) AS more (
           id uuid, number int, status text, reason text, due_at timestamptz, failures int, outcome text,
           error text, reference text) ON more.id = plain.id AND more.number = plain.number
     ORDER BY plain.id
)"""
_ENDS = f"""{_OUTCOME}, ended AS (
    DELETE FROM notifications_outgoing AS outgoing USING outcome
     WHERE outgoing.delivery_id = outcome.id AND {_FENCE}
       AND (outcome.status <> 'pending' OR outgoing.revoked_at IS NOT NULL)
 RETURNING outcome.*, outgoing.revoked_at
), again AS (
    UPDATE notifications_outgoing AS outgoing
       SET due_at = outcome.due_at, failures = outcome.failures, attempts = outcome.number,
           lease_until = NULL, held_for = NULL, for_digest = false
      FROM outcome
     WHERE outgoing.delivery_id = outcome.id AND {_FENCE}
       AND outcome.status = 'pending' AND outgoing.revoked_at IS NULL
 RETURNING outcome.*
), finalised AS (
    UPDATE notifications_delivery AS delivery
       SET status = CASE WHEN is_end AND written.status = 'pending' THEN 'cancelled' ELSE written.status END,
           reason = CASE WHEN is_end AND written.status = 'pending' THEN 'revoked' ELSE written.reason END,
           due_at = coalesce(written.due_at, delivery.due_at),
           attempts = written.number,
           revoked_at = coalesce(written.revoked_at, delivery.revoked_at),
           sent_at = CASE WHEN written.status = 'sent' THEN written.started_at END,
           duration_ms = CASE WHEN is_plain THEN written.duration_ms END,
           status_code = CASE WHEN is_plain THEN written.status_code END
      FROM (SELECT *, true AS is_end FROM ended UNION ALL SELECT *, NULL, false FROM again) AS written
     WHERE delivery.id = written.id AND {_THEIR_MONTHS}
 RETURNING delivery.id, delivery.shop_id, delivery.status, number, started_at, written.duration_ms, outcome,
           written.status_code, error, reference, is_plain
), undelivered AS (
    INSERT INTO notifications_undelivered (delivery_id)
    SELECT id FROM finalised WHERE status = 'failed' ON CONFLICT DO NOTHING
), recorded AS (
    INSERT INTO notifications_attempt
           (delivery_id, shop_id, number, started_at, duration_ms, outcome, status_code, error, reference)
    SELECT id, shop_id, number, started_at, duration_ms, outcome, status_code, error, reference
      FROM finalised WHERE NOT is_plain
"""  # noqa: S608  (no value is put into the text)
_LEFT = ") SELECT id, number FROM outcome WHERE (id, number) NOT IN (SELECT id, number FROM finalised)"
_FINALISE = _ENDS + _LEFT
named("engine.finalise", "Write down what came of a batch of attempts.", _FINALISE)
# For what was written down before, after all or as lost. Looking for that in advance costs a sixth of all
# this, so it is done only where there was an attempt of that number.
_REPLACE = """
    ON CONFLICT (delivery_id, number) DO UPDATE
       SET duration_ms = EXCLUDED.duration_ms, outcome = EXCLUDED.outcome,
           status_code = EXCLUDED.status_code, error = EXCLUDED.error, reference = EXCLUDED.reference
"""
_REPEATED = _ENDS + _REPLACE + _LEFT
named("engine.finalise.repeated", "The same where some of the attempts are on record already.", _REPEATED)
# What came of attempts that are no longer the latest claim. A statement of its own, since it has to see what
# another worker has just written: after a crash of PostgreSQL both can have the same attempt in hand. That
# other one is left to write it down, by the update or by having done so.
_RECORD = f"""{_OUTCOME}
INSERT INTO notifications_attempt
       (delivery_id, shop_id, number, started_at, duration_ms, outcome, status_code, error, reference)
SELECT outcome.id, delivery.shop_id, number, started_at, outcome.duration_ms, outcome, outcome.status_code,
       error, reference
  FROM outcome JOIN notifications_delivery AS delivery ON delivery.id = outcome.id AND {_THEIR_MONTHS}
 WHERE NOT (delivery.attempts = number AND delivery.duration_ms IS NOT NULL)
   AND NOT EXISTS (SELECT FROM notifications_outgoing AS outgoing
                    WHERE outgoing.delivery_id = outcome.id AND {_FENCE})
{_REPLACE}"""  # noqa: S608  (no value is put into the text)
named("engine.finalise.late", "Record attempts that are not the latest claim any more.", _RECORD)
# The end of what was claimed and never tried: it has no attempt, and keeps the number of those before.
WITHHOLD = f"""
WITH outcome AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(numbers)s::int[], %(reasons)s::text[])
               AS outcome (id, number, reason)
), locked AS MATERIALIZED (
    SELECT delivery_id FROM notifications_outgoing
     WHERE delivery_id = ANY (%(ids)s::uuid[]) ORDER BY delivery_id FOR UPDATE
), ended AS (
    DELETE FROM notifications_outgoing AS outgoing USING outcome
     WHERE outgoing.delivery_id = outcome.id AND {_FENCE}
       AND (SELECT count(*) FROM locked) >= 0
 RETURNING outcome.id, outcome.reason, outgoing.revoked_at
)
UPDATE notifications_delivery AS delivery
   SET status = CASE WHEN ended.revoked_at IS NULL THEN 'suppressed' ELSE 'cancelled' END,
       reason = CASE WHEN ended.revoked_at IS NULL THEN ended.reason ELSE 'revoked' END,
       revoked_at = coalesce(ended.revoked_at, delivery.revoked_at)
  FROM ended WHERE delivery.id = ended.id
"""  # noqa: S608  (no value is put into the text)
named("engine.withhold", "End what was claimed, and kept by a limit from being tried.", WITHHOLD)
# An address that its provider calls dead is switched off, unless its contact point has another one by now:
# its next message would only be refused as well. What quiet hours hold back for it ends there too, as if its
# owner had switched it off. The sweep has its owner told (notifications.services.gone).
#
# This is a statement of its own, which a crash may leave out until the next such answer. Whoever removes a
# contact point locks it before its deliveries; finalising, which has these locked, would deadlock with that.
_SWITCH_OFF = """
WITH dead AS (
    SELECT contact.id
      FROM notifications_delivery AS delivery
      JOIN notifications_contactpoint AS contact ON contact.id = delivery.contact_point_id
     WHERE delivery.id = ANY (%(ids)s::uuid[]) AND delivery.status = 'failed' AND delivery.reason = 'gone'
       AND contact.address = delivery.address AND contact.is_enabled
     ORDER BY contact.id FOR UPDATE OF contact
), switched_off AS (
    UPDATE notifications_contactpoint SET is_enabled = false, gone_at = clock_timestamp()
     WHERE id IN (SELECT id FROM dead)
 RETURNING id, user_id
), held AS (
    SELECT outgoing.delivery_id AS id
      FROM switched_off
      JOIN notifications_outgoing AS outgoing ON outgoing.held_for = switched_off.user_id
      JOIN notifications_delivery AS delivery
        ON delivery.id = outgoing.delivery_id AND delivery.contact_point_id = switched_off.id
     WHERE outgoing.lease_until IS NULL
     ORDER BY outgoing.delivery_id FOR UPDATE OF outgoing
), ended AS (
    DELETE FROM notifications_outgoing WHERE delivery_id IN (SELECT id FROM held)
)
UPDATE notifications_delivery SET status = 'suppressed', reason = 'disabled' WHERE id IN (SELECT id FROM held)
RETURNING channel
"""
named("engine.switch-off", "Switch off contact points whose address is dead.", _SWITCH_OFF)


# Not frozen, which would triple the cost of making one.
@dataclass(slots=True)
class Finished:
    """One attempt, and the state that it leaves its delivery in."""

    id: UUID
    channel: str
    number: int
    status: str
    reason: str
    failures: int
    started_at: datetime
    outcome: str
    lateness_s: float | None = None
    due_at: datetime | None = None
    duration_ms: float = 0.0
    status_code: int | None = None
    error: str = ""
    reference: str = ""
    counted: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it was sent, and that is all there is to say."""
        return self.status == "sent" and not (self.reason or self.failures or self.error or self.reference)


_KIND = attrgetter("channel", "outcome", "status")


class Ledger:
    """Outcomes on their way into the database: held together for a moment, and for as long as it is away."""

    def __init__(
        self, database: Database, *, on_retry: Callable[[], None], unwritten: Iterable[Finished] = ()
    ) -> None:
        self._database = database
        self._on_retry = on_retry
        self._held = list(unwritten)
        self._writing: list[Finished] = []
        # Not yet followed, RECENT_S later, by another write: a crash of PostgreSQL may have undone it.
        self._recent: deque[tuple[float, list[Finished]]] = deque()
        self._any, self._many = asyncio.Event(), asyncio.Event()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._held) + len(self._writing)

    @property
    def unwritten(self) -> list[Finished]:
        """What is not known to be written."""
        return [*self._writing, *self._held]

    def add(self, finished: Finished) -> None:
        self._held.append(finished)
        self._any.set()
        if len(self._held) >= BATCH:
            self._many.set()

    def doubt(self) -> None:
        """Hold again what was written last: the database went away, and may have forgotten it.

        That is everything since the last write that is known to have outlived RECENT_S, however long ago:
        an idle worker notices late that the database has died.
        """
        self._held[:0] = [each for _, batch in self._recent for each in batch]
        self._recent.clear()

    async def write_forever(self) -> None:
        """Write every few tens of milliseconds, or sooner where a batch is full."""
        if self._held:
            self._any.set()
        while True:
            await self._any.wait()
            # Not wait_for, which forgets that it was cancelled where it has just got what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.FLUSH_S):
                    await self._many.wait()
            self._any.clear()
            self._many.clear()
            try:
                await self.write()
            except psycopg.OperationalError as error:
                self.doubt()
                log.warning("database_away", error=str(error).strip(), outcomes_held=len(self._held))
                await asyncio.sleep(RETRY_S)
                self._any.set()

    async def write(self) -> None:
        """Write all that is held; raises OperationalError, and forgets nothing, if the database is away."""
        async with self._turn:
            while self._held:
                self._writing, self._held = self._held[:BATCH], self._held[BATCH:]
                batch = self._writing
                try:
                    batch = await self._written(batch)
                except BaseException:
                    self._held[:0] = batch
                    raise
                finally:
                    self._writing = []
                count_finished(batch)
                now = time.monotonic()
                self._recent.append((now, batch))
                while self._recent[0][0] < now - RECENT_S:
                    self._recent.popleft()
                if any(each.status == "pending" for each in batch):
                    self._on_retry()  # it may be due already

    async def _written(self, batch: list[Finished]) -> list[Finished]:
        """Write a batch, one by one where one is refused for its own sake: its lease will bring that back."""
        try:
            await finalise(self._database, batch)
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if len(batch) > 1:
                return [each for one in batch for each in await self._written([one])]
            log.exception("outcome_refused", delivery=str(batch[0].id), error=str(error).strip())
            return []
        return batch


def count_finished(batch: Sequence[Finished]) -> None:
    """Add what was written to the metrics, a batch at a time: one by one it would cost as much as a send."""
    counts: Counter[tuple[str, ...]] = Counter()
    fresh = [each for each in batch if not each.counted]
    for (channel, outcome, status), count in Counter(map(_KIND, fresh)).items():
        if outcome != WITHHELD:
            counts["attempts", channel, outcome] += count
        if status != "pending":
            counts["deliveries", channel, status] += count
    for finished in fresh:
        finished.counted = True
    metrics.add_many(counts.items())
    metrics.observe_lateness(*[each.lateness_s for each in fresh if each.lateness_s is not None])


def withholding(withheld: Sequence[Finished]) -> dict[str, Any]:
    """Return the parameters of WITHHOLD."""
    return {
        "ids": array([each.id for each in withheld]),
        "numbers": array([each.number for each in withheld]),
        "reasons": [each.reason for each in withheld],
    }


async def finalise(database: Database, finished: Sequence[Finished]) -> None:
    """Write down a batch of outcomes, each delivery's in the order in which they are given."""
    if withheld := [each for each in finished if each.outcome == WITHHELD]:
        await database.rows(WITHHOLD, withholding(withheld))
        finished = [each for each in finished if each.outcome != WITHHELD]
    while finished:
        # No statement changes a row twice: of a delivery that a crash gave several outcomes, one at a time.
        first = {each.id: each for each in reversed(finished)}
        is_plain = len(first) == len(finished)
        again = [] if is_plain else [each for each in finished if first[each.id] is not each]
        these = list(first.values())
        if left := await _end(database, these):
            # A stop that was committed while the statement ran: it found neither an end nor a retry to write.
            left = await _end(database, left)
        if left:
            await database.rows(_RECORD, _parameters(left))
        if gone := [each.id for each in these if each.reason == Reason.GONE]:
            suppressed = await database.rows(_SWITCH_OFF, {"ids": array(gone)})
            counts = Counter(("deliveries", channel, "suppressed") for (channel,) in suppressed)
            metrics.add_many(counts.items())
        finished = again


async def _end(database: Database, finished: Sequence[Finished]) -> list[Finished]:
    """Write down what is still the latest claim; returns the rest."""
    parameters = _parameters(finished)
    try:
        left = await database.rows(_FINALISE, parameters)
    except UniqueViolation:
        left = await database.rows(_REPEATED, parameters)
    late = set(left)
    return [each for each in finished if (each.id, each.number) in late] if late else []


def _parameters(finished: Sequence[Finished]) -> dict[str, Any]:
    ids = [each.id for each in finished]
    return {
        "first_id": min(ids),
        "last_id": max(ids),
        "ids": array(ids),
        "numbers": array([each.number for each in finished]),
        "started_at": array([each.started_at.timestamp() for each in finished]),
        "durations_ms": array([round(each.duration_ms, 3) for each in finished]),
        "status_codes": array([each.status_code for each in finished]),
        "more": orjson.dumps([each for each in finished if not each.is_plain]).decode(),
    }
