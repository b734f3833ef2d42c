"""From what a policy says to who is told when. Pure: simulation and start are the same plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from config.zones import zone_of
from escalation.policies.conditions import Condition, failure
from escalation.policies.definition import EVERYONE, NEXT, Definition, Step, Target, rounds_of
from escalation.schedules.row import Roster, members, on_call
from notifications import own_steps
from notifications.engine.own_steps import NO_WAY, recipients_in_steps
from notifications.engine.recipients import Person, Recipient, delaying, recipients

#: What escalations are told as; people can switch it off by channel (notifications.rules).
KIND: Final = own_steps.KIND
# Why a target leads to nobody, beside the reasons of deliveries.
NOBODY_ON_CALL = "nobody_on_call"
GONE = "gone"
NOBODY_IN_IT = "nobody_in_schedule"


@dataclass(frozen=True, slots=True)
class World:
    """The people and schedules that a policy names, as they are now.

    ``next`` has whose turn it is in those schedules of which the next person is told.
    """

    people: Mapping[UUID, Person]
    schedules: Mapping[UUID, Roster]
    names: Mapping[UUID, str]
    next: Mapping[UUID, UUID] = field(default_factory=dict)


def plan(
    definition: Definition,
    world: World,
    *,
    started_at: datetime,
    first_round: int = 1,
    severity: str = "",
    last_round: int | None = None,
    held_back: Mapping[UUID, timedelta] | None = None,
) -> list[Recipient]:
    """Return the recipients of rounds, told or not, in the order in which they are due.

    ``at`` is when they are to be told: when their step is due, or so much later as their own steps say.
    ``via`` is the schedule by which they are told; ``data`` has their round and step, which count from 1. A
    step or target whose condition doesn't hold then is one that is not told, without a channel.

    What quiet hours hold back keeps its distances: nobody's phone rings for all rounds at once in the
    morning. Whoever has no quiet hours is told in time all the same.

    Args:
        started_at: when the first of these rounds begins.
        severity: of this process; by default, the policy's.
        last_round: plan no further; all that there are if not given.
        held_back: by how much quiet hours have held back each person in the rounds before.
    """
    now = _Now(world, severity or definition.severity, zone_of(definition.time_zone), dict(held_back or {}))
    last = rounds_of(definition) if last_round is None else last_round
    found = [
        recipient
        for step in _steps(definition, started_at, first_round, last)
        for recipient in _recipients_of(step, now)
    ]
    return sorted(found, key=lambda recipient: recipient.due_at)


class _DueStep(NamedTuple):
    round: int
    number: int
    at: datetime
    step: Step


class _Now(NamedTuple):
    """What all steps of a plan are asked with; ``held_back`` grows with what quiet hours hold."""

    world: World
    severity: str
    zone: ZoneInfo
    held_back: dict[UUID, timedelta]


def _steps(definition: Definition, started_at: datetime, first: int, last: int) -> Iterator[_DueStep]:
    """Yield the steps of the rounds in the order of time: a round is over before the next begins."""
    for round_ in range(first, last + 1):
        begin = started_at + timedelta(seconds=(round_ - first) * definition.repeat_every_s)
        for number, step in enumerate(definition.steps, start=1):
            yield _DueStep(round_, number, begin + timedelta(seconds=step.after_s), step)


def _recipients_of(due: _DueStep, now: _Now) -> Iterator[Recipient]:
    """Yield whom a step tells, each once: somebody may be there by a schedule and by themselves."""
    if left_out := _left_out(due.step.only, due.at, now):
        found: Iterator[Recipient] = iter([left_out])
    else:
        found = (each for target in due.step.targets for each in _of_target(target, due.at, now))
    seen: set[object] = set()
    for recipient in found:
        recipient.at = recipient.at or due.at
        key = (recipient.user and recipient.user.pk, recipient.channel, recipient.address, recipient.at)
        if recipient.channel == "" or key not in seen:
            recipient.data = {**recipient.data, "round": due.round, "step": due.number}
            yield recipient
        seen.add(key)


def _of_target(target: Target, at: datetime, now: _Now) -> Iterator[Recipient]:
    if left_out := _left_out(target.only, at, now):
        yield left_out
    elif target.type == "address":
        yield Recipient(target.channels[0], at, target.address)
    else:
        people, via, reason = _people_of(target, at, now.world)
        for user_id in people:
            for recipient in _of_person(now.world.people.get(user_id), target, at, now):
                recipient.via = via
                yield recipient
        if not people:
            yield _nobody(at, None, reason, via=via)


def _people_of(target: Target, at: datetime, world: World) -> tuple[Sequence[UUID], str, str]:
    """Return whom a target stands for, by which schedule, and why for nobody."""
    assert target.id is not None
    if target.type == "user":
        return (target.id,), "", ""
    roster, via = world.schedules.get(target.id), world.names.get(target.id, "")
    if roster is None:
        return (), via, GONE
    if target.whom == EVERYONE:
        return members(roster), via, NOBODY_IN_IT
    if target.whom == NEXT:
        turn = world.next.get(target.id)
        return (turn,) if turn else (), via, NOBODY_IN_IT
    duty = on_call(roster, at)
    return duty.user_ids if duty else (), via, NOBODY_ON_CALL


def _of_person(person: Person | None, target: Target, at: datetime, now: _Now) -> Iterator[Recipient]:
    if person is None or not person.user.is_active:
        yield _nobody(at, person, GONE)
        return
    so_far = now.held_back.get(person.user.pk, timedelta(0))
    asked: dict[str, Any] = {"kind": KIND, "severity": now.severity, "at": at, "held_back": so_far}
    if target.channels:
        found = list(recipients(person, channels=target.channels, **asked))
    else:
        found = list(recipients_in_steps(person, **asked))
    now.held_back[person.user.pk] = max(
        [so_far, *(each.due_at - (each.at or at) for each in delaying(found))]
    )
    # Somebody who is told by no channel has none of those that are named: all others have an inbox.
    yield from found or [_nobody(at, person, NO_WAY, channel=target.channels[0])]


def _left_out(only: Condition, at: datetime, now: _Now) -> Recipient | None:
    reason = failure(only, at, zone=now.zone, severity=now.severity)
    return _nobody(at, None, reason, detail=f"Only {only}.") if reason else None


def _nobody(
    at: datetime, person: Person | None, reason: str, *, channel: str = "", via: str = "", detail: str = ""
) -> Recipient:
    user = person.user if person else None
    return Recipient(channel, at, user=user, is_told=False, reason=reason, via=via, detail=detail)


def told_and_silenced(found: Sequence[Recipient]) -> list[Recipient]:
    """Return those who are told, and those whom a step names and who are told by no channel in it.

    What is left out is a channel of somebody who is told by another one.
    """
    told = {_in_step(each) for each in found if each.is_told}
    return [
        each
        for each in found
        if each.is_told or (each.user is not None and each.channel and _in_step(each) not in told)
    ]


def _in_step(recipient: Recipient) -> tuple[object, ...]:
    said = recipient.data
    return said.get("round"), said.get("step"), recipient.user and recipient.user.pk
