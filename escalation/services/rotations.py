"""Making and changing rotations, and who stands in."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict
from escalation.models.rotation import Rotation, RotationMember, RotationOverride
from escalation.saving import made_once, unless_taken

NAME_TAKEN = "There is already a rotation with that name."
_FIELDS: Final = ("kind", "shift_h", "time_zone", "starts_on", "handoff_at")
REMOVED = "The rotation has been removed in the meantime."


def rotation_create(*, members: Sequence[UUID], **fields: Any) -> tuple[Rotation, bool]:
    """Make a rotation of these people, in this order; the second value is False where it is there already.

    Raises:
        ValidationError: a field is not as it should be, or one of the people does not exist.
        Conflict: the name is taken by another one.
    """
    rotation = Rotation(**fields)
    named = Rotation.objects.filter(name=rotation.name, deleted_at=None)
    made, is_new = made_once(rotation, partial(_saved, members=members), named, _FIELDS)
    order = made.places.order_by("position", "pk").values_list("user_id", flat=True)
    if not is_new and list(order) != list(members):
        raise Conflict(NAME_TAKEN)
    return made, is_new


def rotation_update(*, rotation: Rotation, members: Sequence[UUID] | None = None, **changes: Any) -> Rotation:
    """Change a rotation; all its shifts are then as if it had always been so.

    Raises:
        ValidationError: a field is not as it should be, or one of the people does not exist.
        Conflict: the name is taken, or it was removed meanwhile.
    """
    there = Rotation.objects.filter(deleted_at=None).select_for_update(no_key=True)
    with transaction.atomic():
        # As it is now: somebody may have changed something else since it was read.
        try:
            rotation.refresh_from_db(from_queryset=there)
        except Rotation.DoesNotExist:
            raise Conflict(REMOVED)
        for name, value in changes.items():
            setattr(rotation, name, value)
        return _saved(rotation, members)


def rotation_remove(*, rotation: Rotation) -> None:
    """Take a rotation away; policies that name it tell nobody by it from now on."""
    Rotation.objects.filter(pk=rotation.pk).update(deleted_at=clock.now())


def rotation_renew_link(*, rotation: Rotation) -> Rotation:
    """End the calendar links that were given out, and begin new ones."""
    Rotation.objects.filter(pk=rotation.pk).update(link_version=F("link_version") + 1)
    rotation.refresh_from_db(fields=["link_version"])
    return rotation


def override_create(
    *, rotation: Rotation, user_id: UUID, starts_at: datetime, ends_at: datetime
) -> tuple[RotationOverride, bool]:
    """Have somebody stand in, once; the second value is False where the very same is there already.

    Of two that overlap the one made last counts.

    Raises:
        ValidationError: there is no such person, or it ends before it starts.
    """
    _check_people([user_id], "user_id")
    override = RotationOverride(rotation=rotation, user_id=user_id, starts_at=starts_at, ends_at=ends_at)
    override.clean()
    with transaction.atomic():
        Rotation.objects.select_for_update(no_key=True).get(pk=rotation.pk)
        same = RotationOverride.objects.filter(
            rotation=rotation, user=user_id, starts_at=starts_at, ends_at=ends_at
        ).last()
        if same is not None and same == rotation.overrides.order_by("pk").last():
            return same, False
        override.save()
    return override, True


def override_remove(*, override: RotationOverride) -> None:
    override.delete()


def _saved(rotation: Rotation, members: Sequence[UUID] | None) -> Rotation:
    rotation.clean()
    rotation.full_clean(validate_constraints=False)
    if members is not None:
        _check_people(members, "members")
    with unless_taken(NAME_TAKEN):
        rotation.save()
        if members is not None:
            RotationMember.objects.filter(rotation=rotation).delete()
            RotationMember.objects.bulk_create(
                RotationMember(rotation=rotation, user_id=user_id, position=position)
                for position, user_id in enumerate(members, start=1)
            )
    return rotation


def _check_people(user_ids: Sequence[UUID], field: str) -> None:
    known = set(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", flat=True))
    if missing := [user_id for user_id in dict.fromkeys(user_ids) if user_id not in known]:
        raise ValidationError({field: [f"There is no active user {user_id}." for user_id in missing[:5]]})
