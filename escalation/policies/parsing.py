"""From the JSON that somebody sends to steps and targets, or what is wrong with it and where."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError

from config.digits import id_in
from escalation.policies.conditions import Complain, Condition, common, condition_of, stretches
from escalation.policies.definition import (
    EVERYONE,
    MAX_S,
    MAX_STEPS,
    MAX_TARGETS,
    NEXT,
    ON_CALL,
    TYPES,
    WHOM,
    Step,
    Target,
)
from notifications.channels import registry
from notifications.models import Severity

T = TypeVar("T")


def steps_of(given: Any) -> tuple[Step, ...]:
    """Return steps in the order of their delays.

    Raises:
        ValidationError: they are not as they should be; each message says where.
    """
    problems: list[str] = []
    steps = _each(given, MAX_STEPS, "step", _step, problems.append)
    if problems:
        raise ValidationError(problems)
    return tuple(sorted(steps, key=lambda step: step.after_s))


def targets_of(given: Any) -> tuple[Target, ...]:
    """Return the targets of a last resort; none for an empty list.

    Raises:
        ValidationError: they are not as they should be; each message says where.
    """
    if given == []:
        return ()
    problems: list[str] = []
    targets = _each(given, MAX_TARGETS, "target", _resort, problems.append)
    if problems:
        raise ValidationError(problems)
    return tuple(targets)


def _within(place: str, complain: Complain) -> Complain:
    return lambda text: complain(f"{place}: {text}")


def _each(
    given: Any,
    most: int,
    name: str,
    read: Callable[[Mapping[str, Any], Complain], T | None],
    complain: Complain,
) -> list[T]:
    """Read each of a list; what is wrong with one is complained about with its place."""
    if not isinstance(given, list) or not 0 < len(given) <= most:
        complain(f"Expected a list of 1 to {most} {name}s.")
        return []
    found: list[T] = []
    for place, each in enumerate(given, start=1):
        if not isinstance(each, dict):
            complain(f"Expected {name}s to be objects.")
        elif (one := read(each, _within(f"{name} {place}", complain))) is not None:
            found.append(one)
    return found


def _step(given: Mapping[str, Any], complain: Complain) -> Step | None:
    _only(given, ("after_s", "targets", "only"), complain)
    after_s = given.get("after_s")
    if isinstance(after_s, bool) or not isinstance(after_s, int) or not 0 <= after_s <= MAX_S:
        complain(f"after_s: Expected whole seconds from 0 to {MAX_S}.")
        after_s = 0
    only = condition_of(given.get("only"), complain)
    targets = _each(given.get("targets"), MAX_TARGETS, "target", partial(_target, only), complain)
    return Step(after_s, tuple(targets), only)


def _never(step: Condition, target: Condition) -> str:
    """Return where two conditions contradict each other: a field, or "" if they can hold at once."""
    if {step.severity, target.severity} == set(Severity.values):
        return ".severity"
    if not common(stretches(step), stretches(target)):
        has_days = step.weekdays and target.weekdays and not set(step.weekdays) & set(target.weekdays)
        return ".weekdays" if has_days else ".begin"
    return ""


def _target(of_step: Condition, given: Mapping[str, Any], complain: Complain) -> Target | None:
    target = _whom(given, complain)
    only = condition_of(given.get("only"), complain)
    if target is not None and (field := _never(of_step, only)):
        complain(f"only{field}: This never holds together with what the step says.")
    return target and replace(target, only=only)


def _resort(given: Mapping[str, Any], complain: Complain) -> Target | None:
    """Return a target of a last resort: it is told whenever that is, and has no turns to take."""
    target = _whom(given, complain)
    if "only" in given:
        complain("only: A last resort has no conditions.")
    if target and target.whom == NEXT:
        complain(f"whom: Expected one of: {ON_CALL}, {EVERYONE}.")
    return target


def _whom(given: Mapping[str, Any], complain: Complain) -> Target | None:
    type_ = given.get("type")
    match type_:
        case "user" | "schedule" | "rotation":
            whom = ON_CALL if type_ == "user" else _whom_of_schedule(given, complain)
            own = ("channels",) if type_ == "user" else ("channels", "whom")
            _only(given, ("type", TYPES[type_], *own, "only"), complain)
            id_, channels = _uuid(given.get(TYPES[type_])), _channels(given.get("channels", []))
            if id_ is None:
                complain(f"{TYPES[type_]}: Expected a UUID.")
            if channels is None:
                complain(f"channels: Expected a list of: {', '.join(sorted(_personal()))}.")
            return Target(type_, id_, channels=channels or (), whom=whom)
        case "address":
            _only(given, ("type", "channel", "address", "only"), complain)
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


def _whom_of_schedule(given: Mapping[str, Any], complain: Complain) -> str:
    whom = given.get("whom", ON_CALL)
    if whom not in WHOM:
        complain(f"whom: Expected one of: {', '.join(WHOM)}.")
        return ON_CALL
    return str(whom)


def _only(given: Mapping[str, Any], known: tuple[str, ...], complain: Complain) -> None:
    # A misspelt name would otherwise mean "all channels".
    for name in sorted(set(given) - set(known)):
        complain(f"{name[:50]}: There is no such field; expected {', '.join(known)}.")


def _uuid(given: Any) -> UUID | None:
    return id_in(given) if isinstance(given, str) else None


def _personal() -> set[str]:
    return {name for name, channel in registry.CHANNELS.items() if channel.for_contacts}


def _channels(given: Any) -> tuple[str, ...] | None:
    """Return channels, each once, in order; None for what is no list of them."""
    if not isinstance(given, list) or len(given) > len(registry.CHANNELS):
        return None
    if not all(isinstance(each, str) and each in _personal() for each in given):
        return None
    return tuple(sorted(set(given)))
