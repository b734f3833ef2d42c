"""Starting a drill: by staff, or as often as a schedule says."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy

from accounts.models import User
from config.rest.exceptions import Conflict
from config.zones import zone_of
from escalation.models import Drill, DrillAnswer, EscalationProcess, Schedule
from escalation.policies.definition import Definition, Step, Target
from escalation.policies.plan import World, plan, told_and_silenced
from escalation.policies.selectors import world_of
from escalation.schedules.row import members, on_call
from escalation.schedules.selectors import roster_of, with_layers
from escalation.services.messages import DRILL
from escalation.services.processes import process_start
from notifications import looks, rules
from notifications.engine.recipients import Recipient
from notifications.models import Severity
from notifications.reasons import Reason

log = structlog.get_logger(__name__)

NOBODY: Final = gettext_lazy("Nobody is on call by this schedule now.")
NOBODY_IN_IT: Final = gettext_lazy("Nobody takes turns in this schedule.")
REMOVED: Final = gettext_lazy("The schedule has been removed in the meantime.")
#: How long people have to answer, by default and at most.
USUAL_MIN, LONGEST_MIN = 10, 60
#: A drill that couldn't start at its hour starts up to so much later, and otherwise a day later.
LATE: Final = timedelta(hours=1)
# The sweep doesn't end a drill's processes: their drill does, at its end.
_LONG: Final = timedelta(days=1)


def drill_start(
    *,
    schedule: Schedule,
    now: datetime,
    by: User | None = None,
    everyone: bool = False,
    minutes: int = USUAL_MIN,
) -> tuple[Drill, bool]:
    """Ring whoever is on call now; the second value is False where a drill of the schedule is under way.

    Args:
        by: who asks for it; None: the schedule itself.
        everyone: ring everybody who takes turns in it.
        minutes: how long they have to answer.

    Raises:
        Conflict: nobody is on call, or the schedule has been removed.
    """
    due_at = now + timedelta(minutes=minutes)
    drill = Drill(schedule=schedule, started_by=by, is_for_everyone=everyone, started_at=now, due_at=due_at)
    try:
        with transaction.atomic():
            drill.save(force_insert=True)
            for number, (user_id, recipients) in enumerate(_rung(schedule, everyone, now), start=1):
                _ring(drill, number, user_id, recipients)
    except IntegrityError as error:
        if "drill_one_at_a_time" not in str(error):
            raise
        return Drill.objects.get(schedule=schedule, reported_at=None), False
    log.info("drill_started", drill=str(drill.pk), schedule=str(schedule.pk))
    return drill, True


def drills_start(now: datetime) -> int:
    """Start the drills that schedules ask for every so many days, at their hour; returns how many."""
    asking = Schedule.objects.filter(deleted_at=None, drill_every_days__isnull=False).order_by("pk")
    started = 0
    for schedule in with_layers(asking, since=now):
        try:
            started += _start_if_due(schedule, now)
        except Conflict as error:
            log.warning("drill_not_started", schedule=str(schedule.pk), why=str(error))
        except Exception as error:  # those of the other schedules are to start all the same
            if looks.is_away(error):
                raise
            log.exception("drill_not_started", schedule=str(schedule.pk))
    return started


def _start_if_due(schedule: Any, now: datetime) -> bool:
    zone = zone_of(schedule.in_layers[0].time_zone if schedule.in_layers else "UTC")
    local = now.astimezone(zone)
    at = local.replace(hour=schedule.drill_at.hour, minute=schedule.drill_at.minute, second=0, microsecond=0)
    if not at <= local < at + LATE:
        return False
    with transaction.atomic():
        # However many schedulers there are, one starts it.
        Schedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
        last = Drill.objects.filter(schedule=schedule, started_by=None).order_by("-started_at").first()
        if last and (local.date() - last.started_at.astimezone(zone).date()).days < schedule.drill_every_days:
            return False
        return drill_start(schedule=schedule, now=now)[1]


def _rung(schedule: Schedule, everyone: bool, now: datetime) -> list[tuple[UUID, list[Recipient]]]:
    """Return whom a drill rings, each as a critical escalation would."""
    found = with_layers(Schedule.objects.filter(pk=schedule.pk, deleted_at=None), since=now).first()
    if found is None:
        raise Conflict(REMOVED)
    roster = roster_of(found)
    duty = on_call(roster, now)
    people = members(roster) if everyone else duty.user_ids if duty else ()
    if not people:
        raise Conflict(NOBODY_IN_IT if everyone else NOBODY)
    definitions = {pk: _definition(pk) for pk in people}
    world = world_of(*definitions.values(), since=now)
    return [(pk, _recipients(pk, each, world, now)) for pk, each in definitions.items()]


def _definition(user_id: UUID) -> Definition:
    return Definition(steps=(Step(0, (Target("user", id=user_id),)),), severity=Severity.CRITICAL)


def _recipients(user_id: UUID, definition: Definition, world: World, now: datetime) -> list[Recipient]:
    """Return how somebody is rung, but for the channels by which they want to hear of no drill."""
    own = world.people[user_id].subscriptions
    found = list(plan(definition, world, started_at=now))
    for recipient in found:
        recipient.data = {}  # it is in no step
        if recipient.is_told and rules.silences(
            own, channel=recipient.channel, kind=DRILL, severity=definition.severity
        ):
            recipient.is_told, recipient.reason = False, Reason.UNSUBSCRIBED
    return told_and_silenced(found)


def _ring(drill: Drill, number: int, user_id: UUID, recipients: list[Recipient]) -> None:
    process = process_start(
        process_id=f"Drill: {drill.schedule.name} ({drill.pk.hex[-6:]}-{number})",
        notifications=recipients,
        now=drill.started_at,
        severity=Severity.CRITICAL,
        started_by=drill.started_by,
        is_drill=True,
    ).process
    EscalationProcess.objects.filter(pk=process.pk).update(look_at=drill.due_at + _LONG)
    DrillAnswer.objects.create(drill=drill, user_id=user_id, process=process)
