"""Running handlers: each run is taken, its handler's work and the mark that it is done are one commit.

A run is claimed first, in a commit of its own that counts the attempt, so that one that kills its workers
comes to an end too. From then on the row's lock says that someone is at it: it goes with its worker.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from config import clock, sql
from config.statements import named
from notifications import masking, metrics
from notifications.events import following, registry
from notifications.events.registry import Handler
from notifications.events.retry import next_due_at
from notifications.looks import first
from notifications.models import Event, HandlerRun

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]

# A run just committed is left to its own job for this long.
OWN_JOB: Final = timedelta(seconds=2)
# From the claim to the row's lock: whoever takes longer may find that another has claimed it meanwhile.
CLAIM: Final = timedelta(seconds=5)
# One job of the sweep handles what waits for this long, then makes room for others.
SLICE_S: Final = 1.0
# PostgreSQL ends the transaction of a worker that went silent: longer than any job may take.
SILENT_WORKER: Final = "400s"

UNKNOWN_HANDLER: Final = "There is no longer a handler with this name."
WORKER_LOST: Final = "Its worker was lost during the last attempt."

# The attempt is counted before it begins. That the commit is not waited for costs at most a count.
_CLAIM: Final = """
UPDATE notifications_handlerrun AS run
   SET attempts = run.attempts + 1, due_at = %(until)s
  FROM notifications_event AS event
 WHERE event.id = run.event_id AND run.id = (
       SELECT id FROM notifications_handlerrun
        WHERE status = 'pending' AND due_at <= %(now)s AND {chosen} LIMIT 1
          FOR NO KEY UPDATE SKIP LOCKED)
RETURNING set_config('synchronous_commit', 'off', true), run.id, run.handler, run.attempts,
          event.id, event.routing_key, event.source, event.payload, event.occurred_at, event.created_at,
          event.published_by_id, event.is_known
"""
# In the model's order, by which Django takes them where all are given.
_EVENT_FIELDS: Final = (
    "id", "routing_key", "source", "payload", "occurred_at", "created_at", "published_by_id", "is_known",
)  # fmt: skip
_THIS_ONE: Final = _CLAIM.format(chosen="id = %(run)s")
named("events.claim.this", "Claim a run by its id.", _THIS_ONE)
# Those that have no job of their own, and the question whether there are any.
_NEXT: Final = _CLAIM.format(
    chosen="(attempts > 0 OR replays > 0 OR due_at <= %(unclaimed_since)s) ORDER BY due_at"
)
named("events.claim.next", "Claim the next run that is due and has no job.", _NEXT)
# Whether a run without a job of its own is due, as notifications.looks asks: a retry, a replay, a lost one.
ANY_DUE: Final = first(
    f"""notifications_handlerrun
 WHERE status = 'pending' AND due_at <= %(now)s
   AND (attempts > 0 OR replays > 0
        OR due_at <= %(now)s::timestamptz - interval '{OWN_JOB.total_seconds()} s')""",
    by="due_at",
)

# Not there if it has been claimed again since. Waits, for no longer than another's claim takes to see that
# it came too late: whoever has overtaken this one has changed the number, and is not waited for.
_LOCK: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %(silent)s, true)
  FROM notifications_handlerrun
 WHERE id = %(run)s AND status = 'pending' AND attempts = %(attempt)s
   FOR NO KEY UPDATE
"""
named("events.lock", "Lock a claimed run for its handler's work.", _LOCK)
_DONE: Final = """
UPDATE notifications_handlerrun SET status = 'done', error = '', finished_at = %(now)s WHERE id = %(run)s
RETURNING set_config('synchronous_commit', coalesce(%(commit)s, current_setting('synchronous_commit')), true)
"""
named("events.done", "Mark a run as done.", _DONE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this worker is about to do; ``attempt`` is its number, and the fence against others."""

    run: UUID
    handler: str
    attempt: int
    event: Event


def run_handle(run_id: UUID, *, clock: Clock = clock.now) -> bool:
    """Run one handler on its event, if that is due and nobody else is at it; returns whether it was taken."""
    if claim := _claim(_THIS_ONE, clock(), run=run_id):
        _run(claim, clock)
    return claim is not None


def runs_handle(run_id: UUID, *, clock: Clock = clock.now) -> UUID | None:
    """Run a handler on its event, then what that causes, for a while; returns a run that is left."""
    end = time.monotonic() + SLICE_S
    following_run: UUID | None = run_id
    with following.here() as caused:
        while following_run and time.monotonic() < end:
            run_handle(following_run, clock=clock)
            following_run = caused.next()
    return following_run


def due_runs_handle(*, clock: Clock = clock.now) -> bool:
    """Run what is due and has no job of its own, oldest first, for a while; returns whether more may wait."""
    end = time.monotonic() + SLICE_S
    while claim := _claim(_NEXT, clock()):
        _run(claim, clock)
        if time.monotonic() > end:
            return True
    return False


def _claim(statement: str, now: datetime, **chosen: Any) -> Claim | None:
    times = {"now": now, "until": now + CLAIM, "unclaimed_since": now - OWN_JOB}
    claimed = sql.rows(statement, times | chosen)
    if not claimed:
        return None
    _, run, handler, attempt, *columns = claimed[0]
    values = dict(zip(_EVENT_FIELDS, columns, strict=True))
    values["payload"] = json.loads(values["payload"])  # Django's connection leaves jsonb to its fields
    return Claim(run, handler, attempt, Event.from_db("default", _EVENT_FIELDS, values.values()))


def _run(claim: Claim, clock: Clock) -> None:
    handler = registry.get(claim.handler)
    if handler is None:
        _bury(claim, UNKNOWN_HANDLER, clock())
        return
    if claim.attempt > handler.attempts:
        # Had the last attempt failed, it would have been buried then; this claim is no attempt.
        _bury(claim, WORKER_LOST, clock(), attempts=handler.attempts)
        return
    try:
        with transaction.atomic():
            if not sql.rows(_LOCK, {"run": claim.run, "attempt": claim.attempt, "silent": SILENT_WORKER}):
                return
            handler.function(claim.event)
            # The commit of the run that follows puts this on disk too; if both are lost, both are made again.
            commit = "off" if following.is_expected() else None
            sql.execute(_DONE, {"run": claim.run, "now": clock(), "commit": commit})
    except Exception as error:  # whatever a handler raises is its own failure, not this job's
        _fail(claim, handler, error, clock())
    else:
        metrics.add("event_runs", claim.handler, "done")


def _fail(claim: Claim, handler: Handler, error: Exception, now: datetime) -> None:
    """Record a failure whose transaction has been rolled back: to be tried again, or a dead letter."""
    reason, trail = masking.description(error), masking.trail(error)
    wait_s = settings.EVENT_RETRY_WAIT_S
    due_at = next_due_at(attempts=claim.attempt, budget=handler.attempts, wait_s=wait_s, now=now)
    if due_at is None:
        _bury(claim, reason, now, trail=trail)
        return
    fields = _fields(claim) | {"error": reason, "trail": trail}
    if not _still_claimed(claim).update(error=reason, due_at=due_at):
        log.error("event_run_overtaken", **fields)  # it failed after its commit, or another is at it by now
        return
    metrics.add("event_runs", claim.handler, "failed")
    log.warning("event_run_failed", due_at=due_at.isoformat(), **fields)


def _bury(claim: Claim, reason: str, now: datetime, *, attempts: int | None = None, **fields: str) -> None:
    """Make a run a dead letter: it stays until it is replayed."""
    changed = _still_claimed(claim).update(
        status=HandlerRun.Status.DEAD,
        finished_at=now,
        error=reason,
        attempts=claim.attempt if attempts is None else attempts,
    )
    if changed:
        metrics.add("event_runs", claim.handler, "dead")
        log.error("event_dead", **_fields(claim), error=reason, **fields)


def _still_claimed(claim: Claim) -> QuerySet[HandlerRun]:
    return HandlerRun.objects.filter(pk=claim.run, status=HandlerRun.Status.PENDING, attempts=claim.attempt)


def _fields(claim: Claim) -> dict[str, Any]:
    return {
        "run_id": str(claim.run),
        "handler": claim.handler,
        "event_id": str(claim.event.pk),
        "routing_key": claim.event.routing_key,
        "attempt": claim.attempt,
    }
