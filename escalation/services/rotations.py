"""Rotations, as they were before there were schedules: a schedule of one layer that is always on call."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from config.rest.exceptions import Conflict
from escalation.models.schedule import Schedule
from escalation.services.schedules import LayerSaid, layers_said, schedule_create, schedule_update

CUSTOM: Final = "custom"
#: Hours of the shifts of each kind; a custom one has its own.
HOURS: Final = {"daily": 24, "weekly": 168}
NO_ROTATION: Final = "This is a schedule of several layers by now."
KINDS: Final = [("daily", "Daily"), ("weekly", "Weekly"), (CUSTOM, "Custom")]


def kind_of(shift_h: int) -> str:
    return next((kind for kind, hours in HOURS.items() if hours == shift_h), CUSTOM)


def rotation_create(
    *,
    name: str,
    kind: str,
    time_zone: str,
    starts_on: date,
    handoff_at: time,
    members: Sequence[UUID],
    shift_h: int = 168,
) -> tuple[Schedule, bool]:
    """Make a rotation of these people, in this order; the second value is False where it is there already.

    Raises:
        ValidationError, Conflict: as schedule_create does.
    """
    layer = LayerSaid(time_zone, starts_on, handoff_at, HOURS.get(kind, shift_h), tuple(members))
    return schedule_create(name=name, layers=[layer])


def rotation_update(
    *, rotation: Schedule, name: str | None = None, kind: str | None = None, **changes: Any
) -> Schedule:
    """Change a rotation: its name, its kind, or fields of its layer.

    Raises:
        ValidationError, Conflict: as schedule_update does.
    """
    if "members" in changes:
        changes["members"] = tuple(changes["members"])
    if kind in HOURS:
        changes["shift_h"] = HOURS[kind]
    with transaction.atomic():
        # Nobody changes a part of it meanwhile that is left as it is here.
        rotation = schedule_update(schedule=rotation, name=name)
        if not changes:
            return rotation
        layer, *more = layers_said(rotation)
        if more:
            raise Conflict(NO_ROTATION)
        return schedule_update(schedule=rotation, layers=[replace(layer, **changes)])
