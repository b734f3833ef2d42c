"""Starting, stopping, acknowledging and resuming processes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.ids import uuid7
from accounts.models import ApiKey, User
from escalation.models import Entry, EscalationProcess, PolicyVersion
from escalation.policies.definition import rounds_of
from escalation.policies.selectors import NO_TURNS
from escalation.services.ending import hang_up_late, process_end, process_finish, process_finish_if_over
from escalation.services.messages import planned
from escalation.services.policies import RoundPlan
from escalation.services.turns import turns_take
from escalation.timelines.entries import entry_add, left_out_add
from notifications.engine.planned import deliver_many
from notifications.engine.recipients import Recipient
from notifications.models import Severity

log = structlog.get_logger(__name__)

State, Kind = EscalationProcess.State, Entry.Kind
#: How often, and for how long, a process that has to go on looks for somebody to tell.
LOOK_EVERY: Final = timedelta(minutes=1)
LOOK_FOR: Final = timedelta(minutes=5)


class Started(NamedTuple):
    """The active run of a process id; ``created`` is False where it was active already."""

    process: EscalationProcess
    created: bool


def process_start(
    *,
    process_id: str,
    notifications: Sequence[Recipient],
    now: datetime,
    policy_version: PolicyVersion | None = None,
    severity: str = Severity.CRITICAL,
    started_by: ApiKey | User | None = None,
    run: UUID | None = None,
    details: str = "",
    left_out: Sequence[Recipient] = (),
    turns: Mapping[UUID, UUID] = NO_TURNS,
    is_drill: bool = False,
) -> Started:
    """Start a process, unless one of that id is active: then nothing changes.

    One that has nothing left to send, and was only not marked so yet, counts as ended.

    Args:
        run: the id of the run that is started: the same again changes nothing, even if it is over.
        details: what its messages say besides.
        notifications: whom it tells, by a policy in the first of its rounds, and those who are silenced.
        left_out: what its policy left out of that round.
        turns: whose turn it is in it; they have had it once it is started.
        is_drill: it is a test; whoever starts it ends it, too.

    Raises:
        KeyError: there is no channel of that name.
        django.core.exceptions.ValidationError: an address is none of its channel's.
    """
    with transaction.atomic():
        process = EscalationProcess(
            pk=run or uuid7(),
            process_id=process_id,
            started_at=now,
            started_by=started_by if isinstance(started_by, ApiKey) else None,
            started_by_person=started_by if isinstance(started_by, User) else None,
            policy_version=policy_version,
            look_at=over_at(notifications, now),
            next_round_at=next_round_after(policy_version, 1, now),
            told=len(notifications),
            told_users=people_told(notifications),
            severity=severity,
            details=details,
            turns={str(schedule): str(user) for schedule, user in turns.items()},
            is_drill=is_drill,
        )
        # A resume has the lock of its run, and then waits for the end of this one.
        waiting = EscalationProcess.objects.filter(process_id=process_id, resume_at__isnull=False)
        list(waiting.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
        while not _saved(process):
            if run is not None and (there := EscalationProcess.objects.filter(pk=run).first()):
                return Started(there, created=False)
            active = _locked(EscalationProcess.objects.filter(process_id=process_id, state=State.ACTIVE))
            if active is not None and not process_finish_if_over(active, now=now):
                return Started(active, created=False)
        waiting.update(resume_at=None)  # the new run takes its place
        turns_take(turns)
        deliver_many(planned(process, notifications, severity=severity))
        left_out_add(process, left_out)
    log.info("escalation_started", process=str(process.pk), notifications=len(notifications))
    return Started(process, created=True)


def process_stop(
    *, process_id: str, by: str = "", via: str = "api", now: datetime, run: UUID | None = None
) -> EscalationProcess | None:
    """Stop the active process of this id; None where there is none: then nothing changes.

    Args:
        run: stop this run alone, and not one that was started since.

    Once this is committed, no send of it begins. One that was acknowledged for a time is stopped for good.
    Calls that still ring after the last notification of one that ran out are hung up all the same, and its
    last resort is told no more; while it is told, that is what is stopped.
    """
    runs = EscalationProcess.objects.filter(process_id=process_id)
    if run is not None:
        runs = runs.filter(pk=run)
    with transaction.atomic():
        process = _locked(runs.filter(state=State.ACTIVE))
        if process is None or process_finish_if_over(process, now=now):
            process = _locked(runs.filter(resume_at__isnull=False))
        if process is not None:
            process.resume_at = None
            process_end(process, State.STOPPED, by=by, via=via, now=now)
            entry_add(kind=Kind.STOPPED, at=now, process=process, by=by, via=via)
        resort = _last_resorts_stop(runs, by=by, via=via, now=now)
        if process is None and resort is None:
            hang_up_late(runs, now=now)
    return process or resort


def process_acknowledge(*, process: EscalationProcess, by: str, via: str, now: datetime) -> bool:
    """Acknowledge a process: everything pending is cancelled; False where it was stopped or acknowledged.

    Whoever answers the last call of all acknowledges a process that has nothing left to send: that is
    noted, though it had ended. Where its policy says so, it goes on after a time, which acknowledging it once
    more begins anew. ``process`` is changed to what is stored.

    Args:
        by: who, as people will read it.
        via: api, web, phone, link.
    """
    with transaction.atomic():
        locked = EscalationProcess.objects.select_for_update(of=("self",)).get(pk=process.pk)
        acknowledged = locked.is_active or locked.ran_out
        if acknowledged or locked.resume_at is not None:
            entry_add(kind=Kind.ACKNOWLEDGED, at=now, process=locked, by=by, via=via)
        if acknowledged:
            locked.acknowledged_at, locked.resume_at = now, _resumes_at(locked, now)
            process_end(locked, State.ACKNOWLEDGED, by=by, via=via, now=now)
        elif locked.resume_at is not None:
            locked.acknowledged_at, locked.resume_at = now, _resumes_at(locked, now)
            locked.ended_by, locked.ended_via = by[:200], via
            locked.save(update_fields=["acknowledged_at", "ended_by", "ended_via", "resume_at"])
    for field in EscalationProcess._meta.concrete_fields:
        setattr(process, field.attname, getattr(locked, field.attname))
    return acknowledged


def process_resume(
    *,
    process: EscalationProcess,
    plan: Callable[[EscalationProcess], tuple[int, RoundPlan] | None],
    now: datetime,
) -> bool:
    """Go on with an acknowledged process whose time has come; False where it doesn't.

    While there is nobody to tell, it looks again for some minutes, and then ends as one that reached nobody.

    Args:
        plan: says with which round it goes on, and whom that tells, of the process as it is stored; None
            where nobody would be told, neither in that round nor in a later one.
    """
    with transaction.atomic():
        # It may have been acknowledged once more since it was read: then its time has not come.
        due = EscalationProcess.objects.filter(pk=process.pk, resume_at__lte=now)
        locked = _locked(due.select_related("policy_version__policy"))
        if locked is None:
            return False
        another = EscalationProcess.objects.filter(process_id=locked.process_id, state=State.ACTIVE)
        if another.exists():
            locked.resume_at = None
            locked.save(update_fields=["resume_at"])
            return False
        planned_round = plan(locked)
        if planned_round is None:
            _wait_for_somebody(locked, now)
            return False
        locked.round, (notifications, left_out, _) = planned_round
        locked.resume_at = None
        first = locked.told + 1
        locked.state, locked.ended_at, locked.silent_at = State.ACTIVE, None, None
        locked.ended_by = locked.ended_via = ""
        add_told(locked, notifications)
        locked.look_at = over_at(notifications, now)
        locked.next_round_at = next_round_after(locked.policy_version, locked.round, now)
        if not _saved(locked):
            return False
        deliver_many(planned(locked, notifications, severity=locked.severity, first=first))
        entry_add(kind=Kind.RESUMED, at=now, process=locked)
        left_out_add(locked, left_out)
    log.info("escalation_resumed", process=str(locked.pk), notifications=len(notifications))
    return True


def add_told(process: EscalationProcess, notifications: Sequence[Recipient]) -> None:
    """Note in a process whose row is locked that more is told in it; the caller stores it."""
    process.told += len(notifications)
    process.told_users = sorted({*process.told_users, *people_told(notifications)})


def people_told(notifications: Sequence[Recipient]) -> list[UUID]:
    """Return the people who are told, each once."""
    return sorted({each.user.pk for each in notifications if each.user is not None and each.is_told})


def over_at(notifications: Sequence[Recipient], now: datetime) -> datetime:
    """Return when nothing of these may be left to send."""
    return max([now, *(recipient.due_at for recipient in notifications if recipient.is_told)])


def next_round_after(version: PolicyVersion | None, number: int, began_at: datetime) -> datetime | None:
    """Return when the round after one begins; None where that is the last."""
    if version is None or number >= rounds_of(version):
        return None
    return began_at + timedelta(seconds=version.repeat_every_s)


def _saved(process: EscalationProcess) -> bool:
    """Store a process as the active one of its id; False where there is another, if only just starting.

    False too where this very run is there already.
    """
    try:
        with transaction.atomic():
            process.save(force_insert=process._state.adding)
    except IntegrityError as error:
        if not any(name in str(error) for name in ("escalation_active_once", "escalationprocess_pkey")):
            raise
        return False
    return True


def _locked(processes: QuerySet[EscalationProcess]) -> EscalationProcess | None:
    return processes.order_by("-started_at", "-id").select_for_update(of=("self",)).first()


def _last_resorts_stop(
    runs: QuerySet[EscalationProcess], *, by: str, via: str, now: datetime
) -> EscalationProcess | None:
    """Have the last resorts of runs told no more; returns the newest that was being told, as stopped."""
    stopped = []
    waiting = runs.filter(last_resort_look_at__isnull=False, state__in=EscalationProcess.RAN_OUT)
    for run in waiting.order_by("-started_at", "-id").select_for_update(of=("self",)):
        if run.last_resort_at is not None:
            process_end(run, State.STOPPED, by=by, via=via, now=now)
            stopped.append(run)
        else:
            run.last_resort_look_at = None
            run.save(update_fields=["last_resort_look_at"])
    return stopped[0] if stopped else None


def _resumes_at(process: EscalationProcess, now: datetime) -> datetime | None:
    version = process.policy_version
    if version is None or version.acknowledge_timeout_s is None:
        return None
    return now + timedelta(seconds=version.acknowledge_timeout_s)


def _wait_for_somebody(process: EscalationProcess, now: datetime) -> None:
    since = _resumes_at(process, process.acknowledged_at or now) or now
    if now >= since + LOOK_FOR:
        process_finish(process, now=now)
        return
    process.resume_at = now + LOOK_EVERY
    process.save(update_fields=["resume_at"])
