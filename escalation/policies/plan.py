"""From what a policy says to who is told when. Pure: simulation and start are the same plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from escalation.policies.definition import Definition, Target
from escalation.rotations.turns import Turns, on_call
from notifications.engine.recipients import Person, Recipient, recipients

#: What escalations are told as; people can switch it off by channel (notifications.rules).
KIND: Final = "escalation"
# Why a target leads to nobody, beside the reasons of deliveries.
NOBODY_ON_CALL = "nobody_on_call"
GONE = "gone"
NO_WAY = "no_contact_point"


@dataclass(frozen=True, slots=True)
class World:
    """The people and rotations that a policy names, as they are now."""

    people: Mapping[UUID, Person]
    rotations: Mapping[UUID, Turns]
    names: Mapping[UUID, str]


def plan(
    definition: Definition, world: World, *, started_at: datetime, first_round: int = 1
) -> list[Recipient]:
    """Return the recipients of every round from the first, told or not, in the order in which they are due.

    ``at`` is when their step is due, ``via`` the rotation by which they are on call; ``data`` has their round
    and step, which count from 1.

    What quiet hours hold back keeps its distances: nobody's phone rings for all rounds at once in the
    morning. Whoever has no quiet hours is told in time all the same.
    """
    held_back: dict[UUID, timedelta] = {}
    found = [
        recipient
        for step in _steps(definition, started_at, first_round)
        for recipient in _recipients_of(step, world, definition.severity, held_back)
    ]
    return sorted(found, key=lambda recipient: recipient.due_at)


class _DueStep(NamedTuple):
    round: int
    number: int
    at: datetime
    targets: Sequence[Target]


def _steps(definition: Definition, started_at: datetime, first_round: int) -> Iterator[_DueStep]:
    """Yield the steps of the rounds in the order of time: a round is over before the next begins."""
    for round_ in range(first_round, definition.repeats + 2):
        begin = started_at + timedelta(seconds=(round_ - first_round) * definition.repeat_every_s)
        for number, step in enumerate(definition.steps, start=1):
            yield _DueStep(round_, number, begin + timedelta(seconds=step.after_s), step.targets)


def _recipients_of(
    step: _DueStep, world: World, severity: str, held_back: dict[UUID, timedelta]
) -> Iterator[Recipient]:
    """Yield whom a step tells, each once: somebody may be there by a rotation and by themselves."""
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
    user_id, via, reason = target.id, "", ""
    if target.type != "user" and target.id is not None:
        turns, via = world.rotations.get(target.id), world.names.get(target.id, "")
        turn = on_call(turns, at) if turns else None
        user_id, reason = (turn.user_id, "") if turn else (None, NOBODY_ON_CALL if turns else GONE)
    person = world.people.get(user_id) if user_id else None
    if person is None or not person.user.is_active:
        yield _nobody(at, person, via, reason or GONE)
        return
    so_far = held_back.get(person.user.pk, timedelta(0))
    found = list(
        recipients(person, kind=KIND, severity=severity, at=at, channels=target.channels, held_back=so_far)
    )
    held_back[person.user.pk] = max([so_far, *(recipient.due_at - at for recipient in found)])
    for recipient in found or [_nobody(at, person, via, NO_WAY)]:
        recipient.via = via
        yield recipient


def _nobody(at: datetime, person: Person | None, via: str, reason: str) -> Recipient:
    user = person.user if person else None
    return Recipient("", at, user=user, is_told=False, reason=reason, via=via)
