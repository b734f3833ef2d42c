"""What a policy says, checked, and in the one form in which it is stored.

{"after_s": 120, "targets": [{"type": "user", "user_id": "…", "channels": ["phone"]},
                             {"type": "schedule", "schedule_id": "…", "channels": []},
                             {"type": "address", "channel": "sms", "address": "+33612345678"}]}
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError

from notifications.channels import registry

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


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a step tells: a person, whoever is on call, or an address.

    ``channels`` narrows a person's ways of being told; empty means all. An address has exactly one.
    """

    type: Type
    id: UUID | None = None
    address: str = ""
    channels: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        if self.type == "address":
            return {"type": self.type, "channel": self.channels[0], "address": self.address}
        return {"type": self.type, TYPES[self.type]: str(self.id), "channels": list(self.channels)}


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to tell so many seconds after the round's beginning."""

    after_s: int
    targets: tuple[Target, ...]

    def as_json(self) -> dict[str, Any]:
        return {"after_s": self.after_s, "targets": [target.as_json() for target in self.targets]}


@dataclass(frozen=True, slots=True)
class Definition:
    """All that a version of a policy says; see escalation.models.PolicyVersion."""

    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_every_s: int = 0
    acknowledge_timeout_s: int | None = None
    severity: str = "critical"
    repeat_until_acknowledged: bool = False
    last_resort: tuple[Target, ...] = ()

    def ids(self, *types: Type) -> set[UUID]:
        """Return the people or schedules that it names, as targets of these types."""
        targets = (*(target for step in self.steps for target in step.targets), *self.last_resort)
        return {target.id for target in targets if target.type in types and target.id}


def steps_of(given: Any) -> tuple[Step, ...]:
    """Return steps in the order of their delays.

    Raises:
        ValidationError: they are not as they should be; each message says where.
    """
    problems: list[str] = []
    steps = [
        _step(each, _within(f"step {place}", problems.append))
        for place, each in enumerate(_objects(given, MAX_STEPS, "steps", problems.append), start=1)
    ]
    if problems:
        raise ValidationError(problems)
    return tuple(sorted((step for step in steps if step), key=lambda step: step.after_s))


def targets_of(given: Any) -> tuple[Target, ...]:
    """Return the targets of a last resort; none for an empty list.

    Raises:
        ValidationError: they are not as they should be; each message says where.
    """
    if given == []:
        return ()
    problems: list[str] = []
    targets = [
        _target(each, _within(f"target {place}", problems.append))
        for place, each in enumerate(_objects(given, MAX_TARGETS, "targets", problems.append), start=1)
    ]
    if problems:
        raise ValidationError(problems)
    return tuple(target for target in targets if target)


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


Complain = Callable[[str], object]


def _within(place: str, complain: Complain) -> Complain:
    return lambda text: complain(f"{place}: {text}")


def _objects(given: Any, most: int, name: str, complain: Complain) -> Iterator[Mapping[str, Any]]:
    if not isinstance(given, list) or not 0 < len(given) <= most:
        complain(f"Expected a list of 1 to {most} {name}.")
        return
    for each in given:
        if isinstance(each, dict):
            yield each
        else:
            complain(f"Expected {name} to be objects.")


def _step(given: Mapping[str, Any], complain: Complain) -> Step | None:
    _only(given, ("after_s", "targets"), complain)
    after_s = given.get("after_s")
    if isinstance(after_s, bool) or not isinstance(after_s, int) or not 0 <= after_s <= MAX_S:
        complain(f"after_s: Expected whole seconds from 0 to {MAX_S}.")
        after_s = 0
    targets = [
        _target(each, _within(f"target {place}", complain))
        for place, each in enumerate(
            _objects(given.get("targets"), MAX_TARGETS, "targets", complain), start=1
        )
    ]
    return Step(after_s, tuple(target for target in targets if target))


def _target(given: Mapping[str, Any], complain: Complain) -> Target | None:
    type_ = given.get("type")
    match type_:
        case "user" | "schedule" | "rotation":
            _only(given, ("type", TYPES[type_], "channels"), complain)
            id_, channels = _uuid(given.get(TYPES[type_])), _channels(given.get("channels", []))
            if id_ is None:
                complain(f"{TYPES[type_]}: Expected a UUID.")
            if channels is None:
                complain(f"channels: Expected a list of: {', '.join(sorted(_personal()))}.")
            return Target(type_, id_, channels=channels or ())
        case "address":
            _only(given, ("type", "channel", "address"), complain)
            channel, address = given.get("channel"), given.get("address")
            if not isinstance(channel, str) or channel not in registry.ADDRESS_FIELDS:
                complain(f"channel: Expected one of: {', '.join(registry.ADDRESS_FIELDS)}.")
                return None
            try:
                if not isinstance(address, str) or len(address) > 2048:
                    raise ValidationError(f"Expected {registry.get(channel).address_type}.")
                return Target(
                    "address", address=registry.get(channel).normalised_address(address), channels=(channel,)
                )
            except ValidationError as error:
                complain(f"address: {' '.join(error.messages)}")
                return None
        case _:
            complain(f"type: Expected one of: {', '.join(TYPES)}.")
            return None


def _only(given: Mapping[str, Any], known: tuple[str, ...], complain: Complain) -> None:
    # A misspelt name would otherwise mean "all channels".
    for name in sorted(set(given) - set(known)):
        complain(f"{name[:50]}: There is no such field; expected {', '.join(known)}.")


def _uuid(given: Any) -> UUID | None:
    try:
        return UUID(given) if isinstance(given, str) and len(given) == 36 else None
    except ValueError:
        return None


def _personal() -> set[str]:
    return {name for name, channel in registry.CHANNELS.items() if channel.for_contacts}


def _channels(given: Any) -> tuple[str, ...] | None:
    """Return channels, each once, in order; None for what is no list of them."""
    if not isinstance(given, list) or len(given) > len(registry.CHANNELS):
        return None
    if not all(isinstance(each, str) and each in _personal() for each in given):
        return None
    return tuple(sorted(set(given)))
