"""Each kind of thing as a file has it: by names and addresses in place of ids.

Kinds stand in the order in which things need each other, and are removed in the reverse one. What is stored
is read by a few queries a kind; changes go through the services that the API and the admin use.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from accounts.models import Membership, Shop, User
from accounts.services.shops import shop_update
from accounts.services.users import user_update
from accounts.validators import normalised_phone
from config import clock
from escalation.models import Integration, LayerMember, Policy, Route, Schedule, ScheduleOverride
from escalation.policies.definition import TYPES, Definition, Step, Target, steps_of, targets_of
from escalation.policies.selectors import definition_of, newest_version, policies
from escalation.receiving import setting_up
from escalation.schedules.restrictions import as_json, restrictions_of
from escalation.schedules.selectors import with_layers
from escalation.services import policies as policy_services
from escalation.services import schedules as schedule_services
from escalation.services.schedules import LayerSaid
from notifications.channels import registry

Fields = Mapping[str, Any]


class Kind(ABC):
    """Things of one kind."""

    #: As the file calls them, and one of them; the field that names each.
    name: str
    one: str
    key = "name"
    #: Whether those that no file names can be removed here. People and shops can't: that is the admin's.
    is_removed = True

    @abstractmethod
    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return what is stored of these, by name, in the form of a file; None: of all that are exported."""

    def normal(self, fields: Fields) -> dict[str, Any]:
        """Return what a file says in the one form in which it can be compared with what is stored."""
        return dict(fields)

    @abstractmethod
    def make(self, name: str, fields: Fields) -> None: ...

    @abstractmethod
    def change(self, name: str, fields: Fields) -> None:
        """Store these fields; the others stay as they are."""

    def remove(self, name: str) -> None:
        raise NotImplementedError


class Users(Kind):
    """Accounts. A new one can't log in before its password is set by the link for forgotten ones."""

    name, one, key = "users", "user", "email"
    is_removed = False
    FIELDS: Final = ("first_name", "last_name", "language", "time_zone", "phone", "role", "is_active")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        users = User.objects.order_by("email")
        if named is not None:
            users = users.filter(email__in=named)
        else:
            # Whoever is named by something else, and the staff; not everybody who has an account.
            told = {
                person
                for policy in policies()
                for person in definition_of(newest_version(policy)).ids("user")
            }
            users = users.filter(
                Q(is_staff=True)
                | Q(pk__in=told)
                | Q(pk__in=Membership.objects.filter(left_at=None).values("user"))
                | Q(pk__in=LayerMember.objects.filter(layer__schedule__deleted_at=None).values("user"))
                | Q(pk__in=_overrides().values("user"))
            )
        return {user.email: _of(user, self.FIELDS) for user in users}

    def normal(self, fields: Fields) -> dict[str, Any]:
        phone = {"phone": normalised_phone(fields["phone"])} if fields.get("phone") else {}
        return {**fields, "email": _email(fields["email"]), **phone}

    def make(self, name: str, fields: Fields) -> None:
        user = User(email=name, **fields)
        user.set_unusable_password()
        user.full_clean(exclude=["password"])
        user.save()

    def change(self, name: str, fields: Fields) -> None:
        user_update(user=User.objects.get(email=name), **fields)


class Shops(Kind):
    name, one, key = "shops", "shop", "slug"
    is_removed = False
    FIELDS: Final = ("name", "group_alerts_s", "repeat_alerts_s")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        shops = Shop.objects.order_by("slug")
        if named is not None:
            shops = shops.filter(slug__in=named)
        members: dict[UUID, list[str]] = {}
        working = Membership.objects.filter(shop__in=shops, left_at=None).order_by("user__email")
        for shop, email in working.values_list("shop", "user__email"):
            members.setdefault(shop, []).append(email)
        return {shop.slug: {**_of(shop, self.FIELDS), "members": members.get(shop.pk, [])} for shop in shops}

    def normal(self, fields: Fields) -> dict[str, Any]:
        if "members" not in fields:
            return dict(fields)
        return {**fields, "members": sorted({_email(each) for each in fields["members"]})}

    def make(self, name: str, fields: Fields) -> None:
        shop = Shop(slug=name, **{"name": name, **_without(fields, "members")})
        shop.full_clean()
        shop.save()
        self._set_members(shop, fields)

    def change(self, name: str, fields: Fields) -> None:
        shop = Shop.objects.select_for_update(no_key=True).get(slug=name)
        if others := _without(fields, "members"):
            shop_update(shop=shop, **others)
        self._set_members(shop, fields)

    def _set_members(self, shop: Shop, fields: Fields) -> None:
        if "members" not in fields:
            return
        wanted = set(_people(fields["members"], "members"))
        working = shop.memberships.filter(left_at=None)
        for membership in working.exclude(user__in=wanted):
            membership.left_at = clock.now()
            membership.save(update_fields=["left_at"])
        for person in wanted - set(working.values_list("user_id", flat=True)):
            Membership.objects.create(shop=shop, user_id=person)


class Schedules(Kind):
    name, one = "schedules", "schedule"
    FIELDS: Final = ("name", "time_zone", "starts_on", "handoff_at", "shift_h", "per_turn", "restrictions")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        schedules = with_layers(Schedule.objects.filter(deleted_at=None).order_by("name"), since=clock.now())
        return {
            schedule.name: {
                "layers": [
                    {
                        **_of(layer, self.FIELDS),
                        # The places of those who left stand in no file: nobody can take them up again.
                        "members": [place.user.email for place in layer.in_order if place.user],
                    }
                    for layer in schedule.in_layers  # type: ignore[attr-defined]
                ],
                "overrides": [
                    {
                        "user": each.user.email,
                        "instead_of": each.instead_of and each.instead_of.email,
                        **_of(each, ("starts_at", "ends_at")),
                    }
                    for each in schedule.standing_in  # type: ignore[attr-defined]
                ],
            }
            for schedule in schedules
        }

    def normal(self, fields: Fields) -> dict[str, Any]:
        normal = dict(fields)
        if "layers" in fields:
            normal["layers"] = [
                {
                    "name": "",
                    "per_turn": 1,
                    **layer,
                    "handoff_at": time.fromisoformat(layer["handoff_at"]).isoformat(),
                    "restrictions": as_json(restrictions_of(layer.get("restrictions", []))),
                    "members": [_email(each) for each in layer["members"]],
                }
                for layer in fields["layers"]
            ]
        if "overrides" in fields:
            normal["overrides"] = [
                {
                    "user": _email(each["user"]),
                    "instead_of": _email(each["instead_of"]) if each.get("instead_of") else None,
                    **{name: _moment(each[name]).isoformat() for name in ("starts_at", "ends_at")},
                }
                for each in fields["overrides"]
            ]
        return normal

    def make(self, name: str, fields: Fields) -> None:
        layers = self._layers(fields.get("layers", []))
        schedule, _ = schedule_services.schedule_create(name=name, layers=layers)
        self._set_overrides(schedule, fields)

    def change(self, name: str, fields: Fields) -> None:
        schedule = Schedule.objects.get(name=name, deleted_at=None)
        if "layers" in fields:
            schedule_services.schedule_update(schedule=schedule, layers=self._layers(fields["layers"]))
        self._set_overrides(schedule, fields)

    def remove(self, name: str) -> None:
        schedule_services.schedule_remove(schedule=Schedule.objects.get(name=name, deleted_at=None))

    @staticmethod
    def _layers(layers: Iterable[Fields]) -> list[LayerSaid]:
        return [
            LayerSaid(
                name=layer["name"],
                time_zone=layer["time_zone"],
                starts_on=date.fromisoformat(layer["starts_on"]),
                handoff_at=time.fromisoformat(layer["handoff_at"]),
                shift_h=layer["shift_h"],
                per_turn=layer["per_turn"],
                restrictions=restrictions_of(layer["restrictions"]),
                members=tuple(_people(layer["members"], "members")),
            )
            for layer in layers
        ]

    @staticmethod
    def _set_overrides(schedule: Schedule, fields: Fields) -> None:
        if "overrides" not in fields:
            return
        # All anew: of two that overlap the one made last counts.
        _overrides().filter(schedule=schedule).delete()
        for each in fields["overrides"]:
            (person,) = _people([each["user"]], "overrides")
            replaced = _people([each["instead_of"]], "overrides") if each["instead_of"] else [None]
            schedule_services.override_create(
                schedule=schedule,
                user_id=person,
                instead_of_id=replaced[0],
                starts_at=_moment(each["starts_at"]),
                ends_at=_moment(each["ends_at"]),
            )


class Policies(Kind):
    name, one = "policies", "policy"
    FIELDS: Final = (
        "severity", "repeats", "repeat_every_s", "repeat_until_acknowledged", "acknowledge_timeout_s",
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
            steps = [
                {**step, "targets": [_target_normal(each) for each in step["targets"]]}
                for step in fields["steps"]
            ]
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


class Integrations(Kind):
    """Those that post here; a new one has a key of its own, whatever the one had that was exported."""

    name, one = "integrations", "integration"
    FIELDS: Final = ("format", "severity", "mapping", "is_enabled")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        return {
            each.name: {
                **_of(each, self.FIELDS),
                "shop": each.shop and each.shop.slug,
                "policy": each.policy and each.policy.name,
            }
            for each in Integration.objects.select_related("shop", "policy").order_by("name")
        }

    def make(self, name: str, fields: Fields) -> None:
        setting_up.integration_create(name=name, **_with_ids(fields))

    def change(self, name: str, fields: Fields) -> None:
        integration = Integration.objects.get(name=name)
        setting_up.integration_update(integration=integration, **_with_ids(fields))

    def remove(self, name: str) -> None:
        setting_up.integration_remove(integration=Integration.objects.get(name=name), by="apply", via="apply")


class Routes(Kind):
    """In the order in which they are asked: those of the file first, as they stand there."""

    name, one = "routes", "route"
    FIELDS: Final = (
        "matchers", "group_by", "group_wait_s", "group_interval_s", "repeat_interval_s", "is_shadow",
        "is_enabled",
    )  # fmt: skip

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        return {
            each.name: {**_of(each, self.FIELDS), "policy": each.policy and each.policy.name}
            for each in Route.objects.select_related("policy").order_by("position", "pk")
        }

    def make(self, name: str, fields: Fields) -> None:
        setting_up.route_create(name=name, **_with_ids(fields))

    def change(self, name: str, fields: Fields) -> None:
        setting_up.route_update(route=Route.objects.get(name=name), **_with_ids(fields))

    def remove(self, name: str) -> None:
        Route.objects.get(name=name).delete()

    def order(self, names: Sequence[str]) -> None:
        ids = dict(Route.objects.order_by("position", "pk").values_list("name", "pk"))
        first = [ids.pop(name) for name in names]
        setting_up.routes_order(ids=[*first, *ids.values()])


ROUTES: Final = Routes()
KINDS: Final[tuple[Kind, ...]] = (Users(), Shops(), Schedules(), Policies(), Integrations(), ROUTES)


def _of(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return fields as YAML has them: times as text."""
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | time) else value


def _without(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _overrides() -> QuerySet[ScheduleOverride]:
    """Return those that end in the future."""
    return ScheduleOverride.objects.filter(ends_at__gt=clock.now(), schedule__deleted_at=None)


def _people(emails: Sequence[str], field: str) -> list[UUID]:
    """Return the ids of people, in the order of their addresses.

    Raises:
        ValidationError: there is no such person.
    """
    wanted = [_email(each) for each in emails]
    known = dict(User.objects.filter(email__in=wanted).values_list("email", "pk"))
    if missing := sorted(set(wanted) - known.keys()):
        raise ValidationError({field: [f"There is no user {email}." for email in missing]})
    return [known[email] for email in wanted]


def _email(given: str) -> str:
    return given.strip().lower()


def _moment(given: str) -> datetime:
    """Return a time in UTC; one without a zone is taken to be in it."""
    at = datetime.fromisoformat(given)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _one(rows: QuerySet[Any], name: str, field: str) -> UUID:
    found: UUID | None = rows.values_list("pk", flat=True).first()
    if found is None:
        raise ValidationError({field: [f"There is no {field} {name}."]})
    return found


def _with_ids(fields: Fields) -> dict[str, Any]:
    """Return fields with the ids of the policy and the shop that they name."""
    ids: dict[str, Any] = dict(fields)
    if "policy" in ids:
        name = ids.pop("policy")
        ids["policy_id"] = name and _one(Policy.objects.filter(name=name, deleted_at=None), name, "policy")
    if "shop" in ids:
        slug = ids.pop("shop")
        ids["shop_id"] = slug and _one(Shop.objects.filter(slug=slug), slug, "shop")
    return ids


def _steps_as_code(steps: Iterable[Step], names: Mapping[UUID, str]) -> list[dict[str, Any]]:
    return [{"after_s": step.after_s, "targets": _targets_as_code(step.targets, names)} for step in steps]


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


def _target_normal(target: Fields) -> dict[str, Any]:
    normal = {name: value for name, value in target.items() if (name, value) != ("channels", [])}
    if "user" in normal:
        normal["user"] = _email(normal["user"])
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
        ("user", email): id_ for email, id_ in zip(people, _people(people, field), strict=True)
    }
    for name in {target["schedule"] for target in targets if "schedule" in target}:
        there = Schedule.objects.filter(name=name, deleted_at=None)
        ids["schedule", name] = _one(there, name, "schedule")
    return ids


def _target_as_stored(target: Fields, ids: Mapping[tuple[str, str], UUID]) -> dict[str, Any]:
    (type_,) = TYPES.keys() & target.keys()
    if type_ == "address":
        return {"type": type_, **target}
    return {"type": type_, TYPES[type_]: str(ids[type_, target[type_]]), **_without(target, type_)}
