"""Making and changing policies. Each change is a new version: what was started goes on by its own."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.core.exceptions import ValidationError

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict
from escalation.models.policy import Policy, PolicyVersion
from escalation.models.schedule import Schedule
from escalation.policies.definition import Definition, check_rounds
from escalation.policies.gaps import check_conditions
from escalation.policies.plan import World, plan, told_and_silenced
from escalation.policies.problems import problems_of
from escalation.policies.selectors import NO_TURNS, definition_of, newest_version, world_of
from escalation.saving import unless_taken
from escalation.services.turns import turns_lock
from notifications.engine.recipients import Recipient

log = structlog.get_logger(__name__)

NAME_TAKEN = "There is already a policy with that name."


def policy_create(
    *, name: str, definition: Definition, by: User | None = None, may_have_holes: bool = False
) -> tuple[Policy, bool]:
    """Make a policy with its first version; the second value is False where the very same is there already.

    Args:
        may_have_holes: take it though a step is certain to reach nobody as things are.

    Raises:
        ValidationError: the rounds don't go with the steps, or it names who does not exist.
        Conflict: the name is taken by another one.
    """
    definition_check(definition, may_have_holes=may_have_holes)
    try:
        with unless_taken(NAME_TAKEN):
            policy = Policy.objects.create(name=name)
            _add_version(policy, 1, definition, by)
    except Conflict:
        existing = Policy.objects.filter(name=name, deleted_at=None).first()
        if existing is None or definition_of(newest_version(existing)) != definition:
            raise
        return existing, False
    return policy, True


def policy_update(
    *,
    policy: Policy,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    by: User | None = None,
    may_have_holes: bool = False,
) -> Policy:
    """Rename a policy, or have it say something else: a new version, unless that says the same.

    Args:
        changes: fields of the definition; the others stay as they are.
        may_have_holes: as policy_create takes it.

    Raises:
        ValidationError, Conflict: as policy_create does.
    """
    with unless_taken(NAME_TAKEN):
        # Two who change it at once make two versions, one after the other.
        locked = Policy.objects.select_for_update(no_key=True).get(pk=policy.pk)
        newest = newest_version(locked)
        was = definition_of(newest)
        definition = replace(was, **(changes or {}))
        if definition != was:
            definition_check(definition, may_have_holes=may_have_holes)
            _add_version(locked, newest.number + 1, definition, by)
        locked.name = locked.name if name is None else name
        locked.save()
    return locked


def policy_remove(*, policy: Policy) -> None:
    """Take a policy away: nothing more can be started by it, what was started goes on."""
    Policy.objects.filter(pk=policy.pk).update(deleted_at=clock.now())


class RoundPlan(NamedTuple):
    """Whom a process tells in a round, in the order of time; what is left out of it; and whose turn it is.

    ``left_out`` are steps and targets that tell nobody: their condition doesn't hold, or nobody is there.
    """

    notifications: list[Recipient]
    left_out: list[Recipient]
    turns: dict[UUID, UUID]


def planned(
    policy_version: PolicyVersion,
    *,
    started_at: datetime,
    process_id: str,
    severity: str = "",
    first_round: int = 1,
    turns: Mapping[UUID, UUID] = NO_TURNS,
) -> RoundPlan:
    """Return the first round of a process that is started by a policy, as ``round_planned`` does.

    If it tells the next of a schedule, nobody else can choose theirs until the transaction ends.

    Args:
        severity: of this process; by default, the policy's.
        first_round: 1, or the round with which it goes on.
        turns: whose turn it is in it already, by schedule.

    Raises:
        ValidationError: nobody at all would be told, neither in that round nor in those after it.
    """
    definition = definition_of(policy_version)
    turns_lock(definition.takes_turns_in() - turns.keys())
    world = world_of(definition, since=started_at, turns=turns)
    of_rounds = partial(
        plan, definition, world, started_at=started_at, first_round=first_round, severity=severity
    )
    found = of_rounds(last_round=first_round)
    # The later rounds are of interest where nobody is told in this one: somebody may be on call by then.
    if not (_tells(found) or _tells(of_rounds())):
        log.warning("escalation_tells_nobody", policy=str(policy_version.policy_id), process_id=process_id)
        raise ValidationError({"policy": "This policy would tell nobody: simulate it to see why."})
    return _round_plan(found, world, policy_version)


def round_planned(
    policy_version: PolicyVersion,
    *,
    number: int,
    begins_at: datetime,
    severity: str,
    turns: Mapping[UUID, UUID],
    held_back: Mapping[UUID, timedelta],
) -> RoundPlan:
    """Return one round in the order in which it is due, those whom their preferences silence among it.

    People, their preferences and who is on call are taken as they are now, for the time of each step.

    Args:
        turns: whose turn it is, by schedule.
        held_back: by how much quiet hours held each person's messages back in the rounds before.
    """
    definition = definition_of(policy_version)
    world = world_of(definition, since=begins_at, turns=turns)
    found = plan(
        definition,
        world,
        started_at=begins_at,
        first_round=number,
        severity=severity,
        last_round=number,
        held_back=held_back,
    )
    return _round_plan(found, world, policy_version)


def _tells(found: Iterable[Recipient]) -> bool:
    return any(recipient.is_told for recipient in found)


def _round_plan(found: list[Recipient], world: World, policy_version: PolicyVersion) -> RoundPlan:
    for recipient in found:
        recipient.data["policy"] = policy_version.policy.name
    left_out = [recipient for recipient in found if not recipient.channel]
    return RoundPlan(told_and_silenced(found), left_out, dict(world.next))


def _add_version(policy: Policy, number: int, definition: Definition, by: User | None) -> PolicyVersion:
    said = {field.name: getattr(definition, field.name) for field in fields(Definition)}
    said["steps"] = [step.as_json() for step in definition.steps]
    said["last_resort"] = [target.as_json() for target in definition.last_resort]
    return PolicyVersion.objects.create(policy=policy, number=number, created_by=by, **said)


def definition_check(definition: Definition, *, may_have_holes: bool = False) -> None:
    """Check what a definition says of the world, and of itself.

    Raises:
        ValidationError: the rounds don't go with the steps, its conditions never hold, it names who does not
            exist, or a step is certain to reach nobody; by field.
    """
    check_rounds(definition)
    check_conditions(definition)
    users, schedules = definition.ids("user"), definition.ids("schedule", "rotation")
    known_users = User.objects.filter(pk__in=users, is_active=True).values_list("pk", flat=True)
    known_schedules = Schedule.objects.filter(pk__in=schedules, deleted_at=None).values_list("pk", flat=True)
    problems = [
        *_missing("person", users, set(known_users)),
        *_missing("schedule", schedules, set(known_schedules)),
    ]
    if problems:
        raise ValidationError({"steps": problems})
    if not may_have_holes:
        _check_holes(definition)


def _check_holes(definition: Definition) -> None:
    now = clock.now()
    certain = defaultdict(list)
    for problem in problems_of(definition, world_of(definition, since=now), now=now):
        if problem.is_certain:
            certain["last_resort" if problem.step is None else "steps"].append(problem.explanation)
    if certain:
        raise ValidationError(certain)


def _missing(what: str, named: Collection[UUID], known: Collection[UUID]) -> list[str]:
    return [f"There is no {what} {each}." for each in sorted(set(named) - set(known))]
