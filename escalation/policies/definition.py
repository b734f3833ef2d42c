"""What a policy says, checked, and in the one form in which it is stored.

{"after_s": 120, "targets": [{"type": "user", "user_id": "…", "channels": ["phone"]},
                             {"type": "schedule", "schedule_id": "…", "channels": [], "whom": "next"},
                             {"type": "address", "channel": "sms", "address": "+33612345678",
                              "only": {"severity": "critical"}}],
 "only": {"weekdays": ["sat", "sun"], "from": "08:00", "until": "20:00"}}
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError

from escalation.policies.conditions import ALWAYS, Condition

MAX_STEPS: Final = 20
MAX_TARGETS: Final = 20
MAX_REPEATS: Final = 20
MAX_S: Final = 7 * 86_400
#: Of all rounds together.
MAX_TELLINGS: Final = 1000
#: Rounds that go on until somebody acknowledges begin within so long.
LONGEST_S: Final = 86_400
#: ``rotation`` is what a schedule was called before it had layers.
TYPES: Final = {
    "user": "user_id",
    "schedule": "schedule_id",
    "rotation": "rotation_id",
    "address": "address",
}

Type = Literal["user", "schedule", "rotation", "address"]
#: Whom a schedule stands for: who is on call, all of its people, or the next of them for each new process.
ON_CALL, EVERYONE, NEXT = "on_call", "everyone", "next"
WHOM: Final = (ON_CALL, EVERYONE, NEXT)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a step tells: a person, people of a schedule, or an address.

    ``channels`` narrows a person's ways of being told; empty means all. An address has exactly one.
    ``whom`` is of a schedule.
    """

    type: Type
    id: UUID | None = None
    address: str = ""
    channels: tuple[str, ...] = ()
    whom: str = ON_CALL
    only: Condition = ALWAYS

    def as_json(self) -> dict[str, Any]:
        said: dict[str, Any] = {"type": self.type}
        if self.type == "address":
            said |= {"channel": self.channels[0], "address": self.address}
        else:
            said |= {TYPES[self.type]: str(self.id), "channels": list(self.channels)}
        return said | _unless_usual(self.only, whom=self.whom if self.whom != ON_CALL else "")


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to tell so many seconds after the round's beginning."""

    after_s: int
    targets: tuple[Target, ...]
    only: Condition = ALWAYS

    def as_json(self) -> dict[str, Any]:
        said = {"after_s": self.after_s, "targets": [target.as_json() for target in self.targets]}
        return said | _unless_usual(self.only)


@dataclass(frozen=True, slots=True)
class Definition:
    """All that a version of a policy says; see escalation.models.PolicyVersion."""

    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_every_s: int = 0
    acknowledge_timeout_s: int | None = None
    severity: str = "critical"
    time_zone: str = "UTC"
    repeat_until_acknowledged: bool = False
    last_resort: tuple[Target, ...] = ()

    def ids(self, *types: Type) -> set[UUID]:
        """Return the people or schedules that it names, as targets of these types."""
        targets = (*(target for step in self.steps for target in step.targets), *self.last_resort)
        return {target.id for target in targets if target.type in types and target.id}

    def takes_turns_in(self) -> set[UUID]:
        """Return the schedules of which each new process tells the next person."""
        targets = (target for step in self.steps for target in step.targets)
        return {target.id for target in targets if target.whom == NEXT and target.id}


def _unless_usual(only: Condition, **others: str) -> dict[str, Any]:
    found: dict[str, Any] = {name: value for name, value in others.items() if value}
    return found | ({"only": only.as_json()} if only != ALWAYS else {})


class Repeating(Protocol):
    """What a definition, or a version of a policy, says of its rounds."""

    @property
    def repeats(self) -> int: ...

    @property
    def repeat_every_s(self) -> int: ...

    @property
    def repeat_until_acknowledged(self) -> bool: ...


def rounds_of(said: Repeating) -> int:
    """Return how many rounds there are; those that go on until somebody acknowledges begin within a day."""
    if said.repeat_until_acknowledged:
        return max(1, -(-LONGEST_S // said.repeat_every_s)) if said.repeat_every_s else 1
    return said.repeats + 1


def rounds_shown(said: Repeating) -> int:
    """Return how many rounds a simulation shows: a day of them says no more than the first."""
    return min(rounds_of(said), MAX_REPEATS + 1)


def check_rounds(definition: Definition) -> None:
    """Check that what is said of the rounds goes with the steps.

    Raises:
        ValidationError: it doesn't; the messages are by field.
    """
    last_s = max((step.after_s for step in definition.steps), default=0)
    if definition.repeats and definition.repeat_until_acknowledged:
        message = "Expected 0: it repeats until somebody acknowledges."
        raise ValidationError({"repeats": message})
    is_repeated = definition.repeats or definition.repeat_until_acknowledged
    if is_repeated and definition.repeat_every_s <= last_s:
        message = (
            f"Expected more than {last_s} seconds: a round begins after the last step of the one before."
        )
        raise ValidationError({"repeat_every_s": message})
    tellings = rounds_of(definition) * sum(len(step.targets) for step in definition.steps)
    if tellings > MAX_TELLINGS:
        message = f"All rounds together have {tellings} targets; at most {MAX_TELLINGS} are possible."
        field = "repeat_every_s" if definition.repeat_until_acknowledged else "repeats"
        raise ValidationError({field: message})
