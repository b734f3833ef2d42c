"""How processes end: stopped, acknowledged, or with nothing left to send; and when they fell silent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.dispatch import receiver

from config import sql
from config.statements import named
from escalation import selectors
from escalation.models import EscalationProcess
from escalation.signals import process_ended
from notifications import looks, metrics
from notifications.engine import stop
from notifications.models import Delivery
from notifications.services.provider_reports import loss_reported

log = structlog.get_logger(__name__)

State = EscalationProcess.State
#: Calls that a process which ran out left ringing are hung up by a stop so long afterwards.
MAY_RING: Final = timedelta(minutes=10)
#: The counter of notifications.metrics, by outcome.
UNANSWERED: Final = "escalations_unanswered"
#: The histogram of notifications.metrics, in seconds.
SILENCE: Final = "escalation_silence"
# Processes that one look ends at most; the next goes on.
_MOST: Final = 1000

# A process that is past its last due time may still have something being sent, or to be tried again, or a
# round to begin: then it is looked at again when that is due, and a second later at the earliest.
_FINISH: Final = """
WITH due AS MATERIALIZED (
    SELECT id, next_round_at, last_resort_at FROM escalation_escalationprocess
     WHERE state = 'active' AND look_at <= %(now)s AND NOT is_drill
     ORDER BY look_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), looked AS (
    SELECT due.id, due.last_resort_at, coalesce((
        SELECT min(greatest(outgoing.due_at, %(now)s::timestamptz + '1 s'))
          FROM notifications_notification AS told
          JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
          JOIN notifications_outgoing AS outgoing ON outgoing.delivery_id = delivery.id
         WHERE told.source_type = 'escalation' AND told.source_id = due.id::text),
        CASE WHEN due.next_round_at IS NOT NULL
             THEN greatest(due.next_round_at, %(now)s::timestamptz + '1 s') END) AS again_at
      FROM due
)
UPDATE escalation_escalationprocess AS process
   SET look_at = coalesce(again_at, look_at),
       state = CASE WHEN again_at IS NULL THEN 'unanswered' ELSE 'active' END,
       ended_at = CASE WHEN again_at IS NULL THEN %(now)s::timestamptz END,
       silent_at = CASE WHEN again_at IS NULL THEN %(now)s::timestamptz END,
       last_resort_look_at = CASE WHEN again_at IS NULL AND looked.last_resort_at IS NULL
                                  THEN %(now)s::timestamptz END
  FROM looked WHERE process.id = looked.id
RETURNING process.id, process.state
"""
named("escalation.finish", "End the processes that have nothing left to send.", _FINISH)

# Those that ended with something being sent: silent once the last of it has ended.
_SILENT: Final = """
WITH loud AS MATERIALIZED (
    SELECT id, ended_at FROM escalation_escalationprocess
     WHERE silent_at IS NULL AND ended_at IS NOT NULL
     ORDER BY ended_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), quiet AS (
    SELECT loud.id, last.ended_at
      FROM loud CROSS JOIN LATERAL (
           SELECT greatest(loud.ended_at,
                           max(attempt.started_at + attempt.duration_ms * interval '1 ms')) AS ended_at,
                  coalesce(bool_or(outgoing.lease_until IS NOT NULL), false) AS is_loud
             FROM notifications_notification AS told
             JOIN notifications_delivery AS delivery ON delivery.notification_id = told.id
             LEFT JOIN notifications_outgoing AS outgoing ON outgoing.delivery_id = delivery.id
             LEFT JOIN notifications_attempts AS attempt ON attempt.delivery_id = delivery.id
            WHERE told.source_type = 'escalation' AND told.source_id = loud.id::text) AS last
     WHERE NOT last.is_loud
)
UPDATE escalation_escalationprocess AS process SET silent_at = quiet.ended_at
  FROM quiet WHERE process.id = quiet.id
RETURNING extract(epoch FROM process.silent_at - process.ended_at)::float8
"""
named("escalation.silent", "Note when ended processes fell silent.", _SILENT)

# Whether a process may be over, or one that has ended still makes a noise.
ANY_DUE: Final = " OR ".join(
    (
        looks.first(
            "escalation_escalationprocess WHERE state = 'active' AND look_at <= %(now)s", by="look_at"
        ),
        looks.first(
            "escalation_escalationprocess WHERE silent_at IS NULL AND ended_at IS NOT NULL", by="ended_at"
        ),
    )
)


def process_end(process: EscalationProcess, state: State, *, by: str, via: str, now: datetime) -> None:
    """End a process whose row is locked: nothing of it is sent any more, nor can be replayed."""
    deliveries = selectors.deliveries_of(process)
    stop.close(deliveries, reason=Delivery.Reason(state.value))
    sending = deliveries.filter(outgoing__lease_until__isnull=False).exists()
    process.state, process.ended_by, process.ended_via = state, by[:200], via
    process.ended_at = process.ended_at or now
    process.next_round_at = process.last_resort_look_at = None
    process.silent_at = None if sending else now
    process.save()
    if not sending:
        transaction.on_commit(partial(metrics.observe, SILENCE, 0.0), robust=True)
    process_ended.send(sender=EscalationProcess, process=process)
    log.info("escalation_ended", process=str(process.pk), state=state.value, via=via)


def process_finish_if_over(process: EscalationProcess, *, now: datetime) -> bool:
    """End a process whose row is locked if it has nothing left to send; False if it has, or is a drill's."""
    if process.is_drill or process.next_round_at is not None or selectors.left_of(process).exists():
        return False
    process_finish(process, now=now)
    stop.close(selectors.deliveries_of(process), reason=Delivery.Reason.FINISHED)
    return True


def process_finish(process: EscalationProcess, *, now: datetime) -> None:
    """End a process whose row is locked as one that nobody answered, and say so."""
    process.state = State.UNANSWERED if reaching([process.pk]) else State.REACHED_NOBODY
    process.ended_at = process.silent_at = now
    process.ended_by = process.ended_via = ""
    process.resume_at = None
    process.last_resort_look_at = now if process.last_resort_at is None else None
    process.save(
        update_fields=[
            "state",
            "ended_at",
            "silent_at",
            "ended_by",
            "ended_via",
            "resume_at",
            "last_resort_look_at",
        ]
    )
    _report(process.pk, State(process.state))


def hang_up_late(runs: QuerySet[EscalationProcess], *, now: datetime) -> None:
    """Have the calls hung up that the last of these runs left ringing when it ran out."""
    latest = runs.order_by("-started_at", "-id").first()
    if latest is None or not latest.ran_out or latest.ended_at is None:
        return
    if now - latest.ended_at <= MAY_RING:
        process_ended.send(sender=EscalationProcess, process=latest)


def processes_finish(now: datetime) -> int:
    """End the processes that have nothing left to send; returns how many.

    What failed in them can't be replayed any more, and what was replayed at this instant is stopped.
    """
    with transaction.atomic():
        rows = sql.rows(_FINISH, {"now": now, "most": _MOST})
        ended = {pk: State.UNANSWERED for pk, state in rows if state == State.UNANSWERED}
        if ended:
            # Whether anybody was told at all is a difference: to an operator, and to whoever waits for help.
            silent = ended.keys() - reaching(list(ended))
            ended |= dict.fromkeys(silent, State.REACHED_NOBODY)
            EscalationProcess.objects.filter(pk__in=silent).update(state=State.REACHED_NOBODY)
            stop.close(selectors.deliveries_of(*ended), reason=Delivery.Reason.FINISHED)
        for pk, outcome in ended.items():
            _report(pk, outcome)
    return len(ended)


def _report(pk: UUID, outcome: State) -> None:
    """Log and count a process that ended without anybody's stop or acknowledgement, as an error.

    Called before the commit: if the worker dies meanwhile, the next one says it again; after the commit,
    nobody would.
    """
    metrics.add(UNANSWERED, outcome.value)
    log.error(f"escalation_{outcome.value}", process=str(pk))


def noticed(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Return those that somebody may have noticed.

    What lies unread in an inbox, or was said to a voicemail, has reached nobody yet. What was snoozed comes
    back unread, and was seen.
    """
    is_seen = (
        Q(inbox_item__read_at__isnull=False)
        | Q(inbox_item__dismissed_at__isnull=False)
        | Q(inbox_item__snoozed_until__isnull=False)
    )
    sent = deliveries.filter(~Q(channel="inbox") | is_seen, status=Delivery.Status.SENT)
    return sent.exclude(reason=Delivery.Reason.VOICEMAIL)


def reaching(ids: Sequence[UUID]) -> set[UUID]:
    """Return the processes that somebody may have noticed since they were last acknowledged.

    That their last resort was told says nothing of that.
    """
    told = selectors.deliveries_of(*ids).exclude(notification__data__has_key=EscalationProcess.LAST_RESORT)
    last = noticed(told).values("notification__source_id").annotate(at=Max("due_at"))
    last_at = dict(last.order_by().values_list("notification__source_id", "at"))
    processes = EscalationProcess.objects.filter(pk__in=[UUID(each) for each in last_at])
    acknowledged = processes.values_list("pk", "acknowledged_at")
    return {pk for pk, since in acknowledged if since is None or last_at[str(pk)] > since}


@receiver(loss_reported, dispatch_uid="escalation.ending")
def reached_nobody_note(delivery: Delivery, **kwargs: Any) -> None:
    """Have a process reach nobody whose last hope turns out to be lost, such as a call that nobody took."""
    notification = delivery.notification
    if notification.source_type != EscalationProcess.SOURCE:
        return
    said_to_be_told = (State.UNANSWERED, State.FINISHED)
    processes = EscalationProcess.objects.filter(pk=notification.source_id, state__in=said_to_be_told)
    with transaction.atomic():
        process = processes.select_for_update(of=("self",)).first()
        if process is None or reaching([process.pk]):
            return
        processes.update(state=State.REACHED_NOBODY)
        _report(process.pk, State.REACHED_NOBODY)


def look(now: datetime) -> None:
    """End what is over, and note what has fallen silent."""
    processes_finish(now)
    # When the processes fell silent that were ended with sends under way.
    if seconds := sql.column(_SILENT, {"most": _MOST}):
        metrics.observe(SILENCE, *seconds)
