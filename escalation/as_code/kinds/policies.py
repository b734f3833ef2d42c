"""Policies, with targets by what they are called."""

from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from accounts.models import User
from escalation.as_code.kinds.base import Fields, Kind, email_of, id_of, people_ids, without
from escalation.models import Policy, Schedule
from escalation.policies.conditions import condition_of
from escalation.policies.definition import ON_CALL, TYPES, Definition, Step, Target
from escalation.policies.parsing import steps_of, targets_of
from escalation.policies.selectors import definition_of, newest_version, policies
from escalation.services import policies as policy_services
from notifications.channels import registry


class Policies(Kind):
    name, one = "policies", "policy"
    FIELDS: Final = (
        "severity", "time_zone", "repeats", "repeat_every_s", "repeat_until_acknowledged",
        "acknowledge_timeout_s",
    )  # fmt: skip

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        definitions = {
            policy.name: definition_of(newest_version(policy)) for policy in policies().order_by("name")
        }
        people = {id_ for each in definitions.values() for id_ in each.ids("user")}
        schedules = {id_ for each in definitions.values() for id_ in each.ids("schedule", "rotation")}
        names = {
            **dict(User.objects.filter(pk__in=people).values_list("pk", "email")),
            **dict(Schedule.objects.filter(pk__in=schedules, deleted_at=None).values_list("pk", "name")),
        }
        return {
            name: {
                **{field: getattr(definition, field) for field in self.FIELDS},
                "steps": _steps_as_code(definition.steps, names),
                "last_resort": _targets_as_code(definition.last_resort, names),
            }
            for name, definition in definitions.items()
        }

    def normal(self, fields: Fields) -> dict[str, Any]:
        normal = dict(fields)
        if "steps" in fields:
            steps = [_step_normal(step) for step in fields["steps"]]
            normal["steps"] = sorted(steps, key=itemgetter("after_s"))
        if "last_resort" in fields:
            normal["last_resort"] = [_target_normal(each) for each in fields["last_resort"]]
        return normal

    def make(self, name: str, fields: Fields) -> None:
        definition = Definition(**_definition_fields({"steps": [], **fields}))
        # Whoever is new confirms their contact points later.
        policy_services.policy_create(name=name, definition=definition, may_have_holes=True)

    def change(self, name: str, fields: Fields) -> None:
        policy = Policy.objects.get(name=name, deleted_at=None)
        changes = _definition_fields(fields)
        policy_services.policy_update(policy=policy, changes=changes, may_have_holes=True)

    def remove(self, name: str) -> None:
        policy_services.policy_remove(policy=Policy.objects.get(name=name, deleted_at=None))


def _steps_as_code(steps: Iterable[Step], names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    return [{**step.as_json(), "targets": _targets_as_code(step.targets, names)} for step in steps]


def _targets_as_code(targets: Iterable[Target], names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    return [_target_as_code(target.as_json(), names) for target in targets]


def _target_as_code(target: dict[str, Any], names: Mapping[UUID, str]) -> dict[str, Any]:
    """Return a target without its type, which its name says, and with a name in place of the id."""
    type_ = target.pop("type")
    if (key := TYPES[type_]) != type_:
        id_ = target.pop(key)
        # Of whoever has been deleted there is no name any more, and nobody is told by it.
        # A schedule stands in files by that word alone, not by its former one.
        target = {type_.replace("rotation", "schedule"): names.get(UUID(id_), id_), **target}
    return _target_normal(target)


def _step_normal(step: Fields) -> dict[str, Any]:
    return _condition_normal({**step, "targets": [_target_normal(each) for each in step["targets"]]})


def _condition_normal(fields: Fields) -> dict[str, Any]:
    """Return what has a condition with that as it is stored; without it if it always holds."""
    problems: list[str] = []
    only = condition_of(fields.get("only"), problems.append).as_json()
    if problems:
        return dict(fields)  # it is refused once it is to be stored
    return {**without(fields, "only"), **({"only": only} if only else {})}


def _target_normal(target: Fields) -> dict[str, Any]:
    usual: Final[tuple[tuple[str, Any], ...]] = (("channels", []), ("whom", ON_CALL))
    normal = _condition_normal({name: value for name, value in target.items() if (name, value) not in usual})
    if "user" in normal:
        normal["user"] = email_of(normal["user"])
    if "channels" in normal:
        normal["channels"] = sorted(set(normal["channels"]))
    if "address" in normal:
        normal["address"] = registry.get(normal["channel"]).normalised_address(normal["address"])
    return normal


def _definition_fields(fields: Fields) -> dict[str, Any]:
    """Return fields of a definition, with the steps and the last resort that a file has.

    Raises:
        ValidationError: they name who isn't there, or are not as they should be.
    """
    parsed = dict(fields)
    if "steps" in fields:
        ids = _ids_of([target for step in fields["steps"] for target in step["targets"]], "steps")
        steps = [
            {**step, "targets": [_target_as_stored(each, ids) for each in step["targets"]]}
            for step in fields["steps"]
        ]
        parsed["steps"] = steps_of(steps)
    if "last_resort" in fields:
        ids = _ids_of(fields["last_resort"], "last_resort")
        stored = [_target_as_stored(each, ids) for each in fields["last_resort"]]
        parsed["last_resort"] = targets_of(stored)
    return parsed


def _ids_of(targets: Iterable[Fields], field: str) -> dict[tuple[str, str], UUID]:
    """Return the ids of the people and rotations that targets name, by what they are and their names."""
    people = sorted({target["user"] for target in targets if "user" in target})
    ids: dict[tuple[str, str], UUID] = {
        ("user", email): id_ for email, id_ in zip(people, people_ids(people, field), strict=True)
    }
    for name in {target["schedule"] for target in targets if "schedule" in target}:
        there = Schedule.objects.filter(name=name, deleted_at=None)
        ids["schedule", name] = id_of(there, name, "schedule")
    return ids


def _target_as_stored(target: Fields, ids: Mapping[tuple[str, str], UUID]) -> dict[str, Any]:
    (type_,) = TYPES.keys() & target.keys()
    if type_ == "address":
        return {"type": type_, **target}
    return {"type": type_, TYPES[type_]: str(ids[type_, target[type_]]), **without(target, type_)}
