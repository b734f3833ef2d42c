"""From what a policy says to who is told when. Pure: simulation and start are the same plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from escalation.policies.definition import Definition, Target, rounds_of
from escalation.schedules.row import Roster, on_call
from notifications.engine.recipients import Person, Recipient, recipients

#: What escalations are told as; people can switch it off by channel (notifications.rules).
KIND: Final = "escalation"
# Why a target leads to nobody, beside the reasons of deliveries.
NOBODY_ON_CALL = "nobody_on_call"
GONE = "gone"
NO_WAY = "no_contact_point"


@dataclass(frozen=True, slots=True)
class World:
    """The people and schedules that a policy names, as they are now."""

    people: Mapping[UUID, Person]
    schedules: Mapping[UUID, Roster]
    names: Mapping[UUID, str]


def plan(
    definition: Definition,
    world: World,
    *,
    started_at: datetime,
    first_round: int = 1,
    last_round: int | None = None,
    held_back: Mapping[UUID, timedelta] | None = None,
) -> list[Recipient]:
    """Return the recipients of rounds, told or not, in the order in which they are due.

    ``at`` is when their step is due, ``via`` the schedule by which they are on call; ``data`` has their round
    and step, which count from 1.

    What quiet hours hold back keeps its distances: nobody's phone rings for all rounds at once in the
    morning. Whoever has no quiet hours is told in time all the same.

    Args:
        started_at: when the first of these rounds begins.
        last_round: plan no further; all that there are if not given.
        held_back: by how much quiet hours have held back each person in the rounds before.
    """
    so_far = dict(held_back or {})
    last = rounds_of(definition) if last_round is None else last_round
    found = [
        recipient
        for step in _steps(definition, started_at, first_round, last)
        for recipient in _recipients_of(step, world, definition.severity, so_far)
    ]
    return sorted(found, key=lambda recipient: recipient.due_at)


class _DueStep(NamedTuple):
    round: int
    number: int
    at: datetime
    targets: Sequence[Target]


def _steps(definition: Definition, started_at: datetime, first: int, last: int) -> Iterator[_DueStep]:
    """Yield the steps of the rounds in the order of time: a round is over before the next begins."""
    for round_ in range(first, last + 1):
        begin = started_at + timedelta(seconds=(round_ - first) * definition.repeat_every_s)
        for number, step in enumerate(definition.steps, start=1):
            yield _DueStep(round_, number, begin + timedelta(seconds=step.after_s), step.targets)


def _recipients_of(
    step: _DueStep, world: World, severity: str, held_back: dict[UUID, timedelta]
) -> Iterator[Recipient]:
    """Yield whom a step tells, each once: somebody may be there by a schedule and by themselves."""
    seen: set[object] = set()
    for target in step.targets:
        for recipient in _of_target(target, step.at, world, severity, held_back):
            key = (recipient.user and recipient.user.pk, recipient.channel, recipient.address)
            if recipient.channel == "" or key not in seen:
                recipient.at, recipient.data = step.at, {"round": step.round, "step": step.number}
                yield recipient
            seen.add(key)


def _of_target(
    target: Target, at: datetime, world: World, severity: str, held_back: dict[UUID, timedelta]
) -> Iterator[Recipient]:
    if target.type == "address":
        yield Recipient(target.channels[0], at, target.address)
        return
    people, via, reason = _people_of(target, at, world)
    if not people:
        yield _nobody(at, None, via, reason)
    for user_id in people:
        for recipient in _of_person(world.people.get(user_id), target, at, severity, held_back):
            recipient.via = via
            yield recipient


def _people_of(target: Target, at: datetime, world: World) -> tuple[Sequence[UUID], str, str]:
    """Return whom a target stands for, by which schedule, and why for nobody."""
    assert target.id is not None
    if target.type == "user":
        return (target.id,), "", ""
    roster, via = world.schedules.get(target.id), world.names.get(target.id, "")
    duty = on_call(roster, at) if roster else None
    return (duty.user_ids if duty else ()), via, NOBODY_ON_CALL if roster else GONE


def _of_person(
    person: Person | None, target: Target, at: datetime, severity: str, held_back: dict[UUID, timedelta]
) -> Iterator[Recipient]:
    if person is None or not person.user.is_active:
        yield _nobody(at, person, "", GONE)
        return
    so_far = held_back.get(person.user.pk, timedelta(0))
    found = list(
        recipients(person, kind=KIND, severity=severity, at=at, channels=target.channels, held_back=so_far)
    )
    held_back[person.user.pk] = max([so_far, *(recipient.due_at - at for recipient in found)])
    # Somebody who is told by no channel has none of those that are named: all others have an inbox.
    yield from found or [_nobody(at, person, "", NO_WAY, channel=target.channels[0])]


def _nobody(at: datetime, person: Person | None, via: str, reason: str, *, channel: str = "") -> Recipient:
    user = person.user if person else None
    return Recipient(channel, at, user=user, is_told=False, reason=reason, via=via)


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
