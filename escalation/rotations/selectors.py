"""Rotations with all that says whose turn it is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from accounts.models import User
from config.zones import zone_of
from escalation.models.rotation import Rotation, RotationMember, RotationOverride
from escalation.rotations.turns import StandIn, Turns
from notifications.selectors import sees_all

EARLIEST = datetime.min.replace(tzinfo=UTC)


def rotations_visible_to(principal: Any) -> QuerySet[Rotation]:
    """All rotations, or those in which somebody takes turns or stands in; see ``with_turns``."""
    rotations = with_turns(Rotation.objects.filter(deleted_at=None))
    if sees_all(principal):
        return rotations
    takes_turns = RotationMember.objects.filter(user=principal).values("rotation")
    stands_in = RotationOverride.objects.filter(user=principal).values("rotation")
    return rotations.filter(pk__in=takes_turns.union(stands_in))


def with_turns(rotations: QuerySet[Rotation], *, since: datetime = EARLIEST) -> QuerySet[Rotation]:
    """Add, in two queries, the places as ``in_order`` and who stands in as ``standing_in``."""
    places = RotationMember.objects.select_related("user").order_by("position", "pk")
    # The order in which they were made decides between those that overlap.
    overrides = RotationOverride.objects.filter(ends_at__gt=since).select_related("user").order_by("pk")
    return rotations.prefetch_related(
        Prefetch("places", places, to_attr="in_order"),
        Prefetch("overrides", overrides, to_attr="standing_in"),
    )


def turns_of(rotation: Any) -> Turns:
    """Return the turns of a rotation that was read by ``with_turns``."""
    return Turns(
        zone=zone_of(rotation.time_zone),
        begins=datetime.combine(rotation.starts_on, rotation.handoff_at),
        shift=timedelta(hours=rotation.shift_h),
        people=tuple(member.user_id for member in rotation.in_order),
        stand_ins=tuple(
            StandIn(override.pk, override.user_id, override.starts_at, override.ends_at)
            for override in rotation.standing_in
        ),
        away=frozenset(user.pk for user in members_by_id(rotation).values() if not user.is_active),
    )


def members_by_id(rotation: Any) -> dict[UUID, User]:
    """Return everybody who takes turns or stands in, of a rotation that was read by ``with_turns``."""
    return {entry.user_id: entry.user for entry in (*rotation.in_order, *rotation.standing_in) if entry.user}
