"""From what a policy says to who is told when. Pure: simulation and start are the same plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from accounts.models import User
from escalation.policies.definition import Definition, Target
from escalation.policies.people import Person, ways
from escalation.rotations.turns import Turns, on_call
from notifications.models import ContactPoint

NOBODY_ON_CALL = "nobody_on_call"
GONE = "gone"
NO_WAY = "no_contact_point"


@dataclass(frozen=True, slots=True)
class World:
    """The people and rotations that a policy names, as they are now."""

    people: Mapping[UUID, Person]
    rotations: Mapping[UUID, Turns]
    names: Mapping[UUID, str]


class Telling(NamedTuple):
    """A message that would be sent, or not, with the reason.

    ``at`` is when the step is due, ``due_at`` when the message is: later where quiet hours hold it back.
    ``round`` and ``step`` count from 1; ``via`` names the rotation by which somebody is told.
    """

    round: int
    step: int
    at: datetime
    due_at: datetime
    user: User | None
    channel: str
    address: str
    contact_point: ContactPoint | None
    is_told: bool
    reason: str
    via: str = ""


def plan(
    definition: Definition, world: World, *, started_at: datetime, first_round: int = 1
) -> list[Telling]:
    """Return every message of every round from the first, in the order in which they are due.

    What quiet hours hold back keeps its distances: nobody's phone rings for all rounds at once in the
    morning. Whoever has no quiet hours is told in time all the same.
    """
    held_back: dict[UUID, timedelta] = {}
    tellings = [
        telling
        for round_, step, at, target in _moments(definition, started_at, first_round)
        for telling in _tellings(target, round_, step, at, world, definition.severity, held_back)
    ]
    return sorted(_each_once(tellings), key=lambda telling: (telling.due_at, telling.round, telling.step))


def _moments(
    definition: Definition, started_at: datetime, first_round: int
) -> Iterator[tuple[int, int, datetime, Target]]:
    """Yield round, step, time and target, in the order of time: a round is over before the next begins."""
    for round_ in range(first_round, definition.repeats + 2):
        begin = started_at + timedelta(seconds=(round_ - first_round) * definition.repeat_every_s)
        for number, step in enumerate(definition.steps, start=1):
            for target in step.targets:
                yield round_, number, begin + timedelta(seconds=step.after_s), target


def _tellings(
    target: Target,
    round_: int,
    step: int,
    at: datetime,
    world: World,
    severity: str,
    held_back: dict[UUID, timedelta],
) -> Iterator[Telling]:
    if target.type == "address":
        yield Telling(round_, step, at, at, None, target.channels[0], target.address, None, True, "")
        return
    user_id, via, reason = _who(target, at, world)
    person = world.people.get(user_id) if user_id else None
    if person is None or not person.user.is_active:
        user = person.user if person else None
        yield Telling(round_, step, at, at, user, "", "", None, False, reason or GONE, via)
        return
    so_far = held_back.get(person.user.pk, timedelta(0))
    found = list(ways(person, at=at, severity=severity, channels=target.channels, held_back=so_far))
    held_back[person.user.pk] = max([so_far, *(way.due_at - at for way in found)])
    for way in found:
        told = (way.channel, way.address, way.contact_point, way.is_told, way.reason)
        yield Telling(round_, step, at, way.due_at, person.user, *told, via)
    if not found:
        yield Telling(round_, step, at, at, person.user, "", "", None, False, NO_WAY, via)


def _who(target: Target, at: datetime, world: World) -> tuple[UUID | None, str, str]:
    """Return who is meant at a time, by which rotation, or why nobody is."""
    if target.type == "user" or target.id is None:
        return target.id, "", ""
    turns = world.rotations.get(target.id)
    via = world.names.get(target.id, "")
    turn = on_call(turns, at) if turns else None
    return (turn.user_id, via, "") if turn else (None, via, NOBODY_ON_CALL if turns else GONE)


def _each_once(tellings: list[Telling]) -> list[Telling]:
    """Leave out what somebody is told twice in a step, such as by a rotation and by themselves."""
    seen: set[object] = set()
    kept = []
    for telling in tellings:
        key = (
            telling.round,
            telling.step,
            telling.user and telling.user.pk,
            telling.channel,
            telling.address,
        )
        if telling.channel == "" or key not in seen:
            kept.append(telling)
        seen.add(key)
    return kept
