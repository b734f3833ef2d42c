"""Making and changing schedules, and who stands in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import partial
from types import EllipsisType
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict
from escalation.calendars import jobs as calendars_jobs
from escalation.models.calendar import LayerCalendar
from escalation.models.schedule import Layer, LayerMember, Schedule, ScheduleOverride
from escalation.saving import made_once, unless_taken
from escalation.schedules.hours import Restriction
from escalation.schedules.restrictions import as_json, restrictions_of

NAME_TAKEN = "There is already a schedule with that name."
NEVER = "Nobody here can be on call: all accounts are switched off, or gone"
REMOVED = "The schedule has been removed in the meantime."


@dataclass(frozen=True, slots=True)
class LayerSaid:
    """What a layer says; see escalation.models.Layer. ``members`` has None for whoever left.

    With an ``ical_url`` in normal form, that, the name and the time zone are all.
    """

    time_zone: str
    starts_on: date | None = None
    handoff_at: time = time(8)
    shift_h: int = 168
    members: tuple[UUID | None, ...] = ()
    name: str = ""
    per_turn: int = 1
    restrictions: tuple[Restriction, ...] = ()
    ical_url: str = ""


def layers_said(schedule: Schedule) -> list[LayerSaid]:
    """Return what the layers of a schedule say, from the lowest."""
    return [
        LayerSaid(
            time_zone=layer.time_zone,
            starts_on=layer.starts_on,
            handoff_at=layer.handoff_at,
            shift_h=layer.shift_h,
            members=tuple(layer.places.order_by("position", "pk").values_list("user_id", flat=True)),
            name=layer.name,
            per_turn=layer.per_turn,
            restrictions=restrictions_of(layer.restrictions),
            ical_url=layer.ical_url,
        )
        for layer in schedule.layers.order_by("position", "pk")
    ]


def schedule_create(
    *,
    name: str,
    layers: Sequence[LayerSaid],
    may_have_gaps: bool = False,
    drill_every_days: int | None = None,
    drill_at: time = time(10),
    may_have_holes: bool = False,
) -> tuple[Schedule, bool]:
    """Make a schedule; the second value is False where the very same is there already.

    Args:
        layers: from the lowest.
        may_have_gaps: that nobody is on call now and then is meant.
        drill_every_days: how often people are rung for a test, at ``drill_at``; None: never.
        may_have_holes: take it though a layer can never have anybody on call as things are.

    Raises:
        ValidationError: a field is not as it should be, one of the people does not exist, or a layer has
            nobody who could be on call.
        Conflict: the name is taken by another one.
    """
    named = Schedule.objects.filter(name=name, deleted_at=None)
    said = {
        "may_have_gaps": may_have_gaps,
        "drill_every_days": drill_every_days,
        "drill_at": drill_at,
    }
    new = Schedule(name=name, **said)
    save = partial(_saved, layers=layers, may_have_holes=may_have_holes)
    made, is_new = made_once(new, save, named, said)
    if not is_new and layers_said(made) != list(layers):
        raise Conflict(NAME_TAKEN)
    return made, is_new


def schedule_update(
    *,
    schedule: Schedule,
    name: str | None = None,
    layers: Sequence[LayerSaid] | None = None,
    may_have_gaps: bool | None = None,
    drill_every_days: int | EllipsisType | None = ...,
    drill_at: time | None = None,
    may_have_holes: bool = False,
) -> Schedule:
    """Change a schedule; all of it, the past too, is then as if it had always been so.

    Args:
        layers: all of them, in place of those that are there.
        drill_every_days: how often people are rung for a test, at ``drill_at``; None: never.
        may_have_gaps, may_have_holes: as schedule_create takes them.

    Raises:
        ValidationError: a field is not as it should be, one of the people does not exist, or a layer has
            nobody who could be on call.
        Conflict: the name is taken, or it was removed meanwhile.
    """
    with transaction.atomic():
        _lock(schedule)
        if name is not None:
            schedule.name = name
        if may_have_gaps is not None:
            schedule.may_have_gaps = may_have_gaps
        if drill_every_days is not ...:
            schedule.drill_every_days = drill_every_days
        if drill_at is not None:
            schedule.drill_at = drill_at
        return _saved(schedule, layers, may_have_holes=may_have_holes)


def schedule_remove(*, schedule: Schedule) -> None:
    """Take a schedule away; policies that name it tell nobody by it from now on."""
    Schedule.objects.filter(pk=schedule.pk).update(deleted_at=clock.now())


def schedule_renew_link(*, schedule: Schedule) -> Schedule:
    """End the calendar links that were given out, and begin new ones."""
    Schedule.objects.filter(pk=schedule.pk).update(link_version=F("link_version") + 1)
    schedule.refresh_from_db(fields=["link_version"])
    return schedule


def override_create(
    *,
    schedule: Schedule,
    user_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    instead_of_id: UUID | None = None,
) -> tuple[ScheduleOverride, bool]:
    """Have somebody stand in, once; the second value is False where the very same is there already.

    Of two that overlap the one made last counts.

    Args:
        instead_of_id: in whose place alone; None: in everybody's.

    Raises:
        ValidationError: there is no such person, or it ends before it starts.
    """
    _check_people([user_id], "user_id")
    if instead_of_id is not None:
        _check_people([instead_of_id], "instead_of_id")
    override = ScheduleOverride(
        schedule=schedule,
        user_id=user_id,
        instead_of_id=instead_of_id,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    override.clean()
    with transaction.atomic():
        Schedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
        same = ScheduleOverride.objects.filter(
            schedule=schedule,
            user=user_id,
            instead_of=instead_of_id,
            starts_at=starts_at,
            ends_at=ends_at,
        ).last()
        if same is not None and same == schedule.overrides.order_by("pk").last():
            return same, False
        override.save()
    return override, True


def override_remove(*, override: ScheduleOverride) -> None:
    override.delete()


def _lock(schedule: Schedule) -> None:
    """Read a schedule as it is now: somebody may have changed something else since it was read."""
    there = Schedule.objects.filter(deleted_at=None).select_for_update(no_key=True)
    try:
        schedule.refresh_from_db(from_queryset=there)
    except Schedule.DoesNotExist:
        raise Conflict(REMOVED)


def _saved(
    schedule: Schedule, layers: Sequence[LayerSaid] | None, *, may_have_holes: bool = False
) -> Schedule:
    schedule.full_clean(validate_constraints=False)
    if layers is not None:
        already = set(LayerMember.objects.filter(layer__schedule=schedule).values_list("user_id", flat=True))
        people = dict.fromkeys(person for layer in layers for person in layer.members)
        _check_people([person for person in people if person and person not in already], "members")
        if not may_have_holes:
            _check_holes(layers)
    with unless_taken(NAME_TAKEN):
        schedule.save()
        if layers is not None:
            _replace_layers(schedule, layers)
    return schedule


def _replace_layers(schedule: Schedule, layers: Sequence[LayerSaid]) -> None:
    old = list(Layer.objects.filter(schedule=schedule).values_list("pk", flat=True))
    for position, said in enumerate(layers, start=1):
        layer = Layer(
            schedule=schedule,
            position=position,
            name=said.name,
            shift_h=said.shift_h,
            time_zone=said.time_zone,
            starts_on=said.starts_on,
            handoff_at=said.handoff_at,
            per_turn=said.per_turn,
            restrictions=as_json(said.restrictions),
            ical_url=said.ical_url,
        )
        layer.full_clean(exclude=["schedule"], validate_constraints=False)
        layer.save()
        LayerMember.objects.bulk_create(
            LayerMember(layer=layer, user_id=user_id, position=place)
            for place, user_id in enumerate(said.members, start=1)
        )
        if said.ical_url:
            _keep_calendar(layer, old)
    LayerMember.objects.filter(layer__in=old).delete()
    Layer.objects.filter(pk__in=old).delete()
    if any(said.ical_url for said in layers):
        calendars_jobs.fetch_soon()


def _keep_calendar(layer: Layer, old: Iterable[int]) -> None:
    """Give a layer what was read of its calendar for one that it replaces."""
    same = LayerCalendar.objects.filter(layer__in=old, url=layer.ical_url, time_zone=layer.time_zone)
    LayerCalendar.objects.filter(pk=same.order_by("pk").values("pk")[:1]).update(layer=layer)


def _check_holes(layers: Iterable[LayerSaid]) -> None:
    """Check that each layer has somebody who can be on call, or a calendar that may have.

    Raises:
        ValidationError: one has not.
    """
    layers = list(layers)
    named = {person for layer in layers for person in layer.members if person}
    active = set(User.objects.filter(pk__in=named, is_active=True).values_list("pk", flat=True))
    if empty := [
        number
        for number, layer in enumerate(layers, start=1)
        if not layer.ical_url and active.isdisjoint(layer.members)
    ]:
        raise ValidationError({"members": [f"{NEVER} (layer {number})." for number in empty]})


def _check_people(user_ids: Sequence[UUID], field: str) -> None:
    known = set(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", flat=True))
    if missing := [user_id for user_id in dict.fromkeys(user_ids) if user_id not in known]:
        raise ValidationError({field: [f"There is no active user {user_id}." for user_id in missing[:5]]})
