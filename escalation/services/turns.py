"""Whose turn it is in schedules of which each new process tells the next: durable, and fair to all."""

from collections.abc import Collection, Mapping
from uuid import UUID

from escalation.models import RoundRobin, Schedule
from escalation.schedules.row import members
from escalation.schedules.selectors import roster_of, with_layers


def turns_lock(schedules: Collection[UUID]) -> None:
    """Have nobody else choose whose turn it is, in these schedules, until the transaction ends."""
    there = Schedule.objects.filter(pk__in=schedules, deleted_at=None).values_list("pk", flat=True)
    # In one order for all, so that two that start at once can't deadlock.
    new = [RoundRobin(schedule_id=pk) for pk in there.order_by("pk")]
    if new:
        RoundRobin.objects.bulk_create(new, ignore_conflicts=True)
        list(RoundRobin.objects.filter(pk__in=[each.pk for each in new]).order_by("pk").select_for_update())


def turns_take(turns: Mapping[UUID, UUID]) -> None:
    """Store that these people have had their turn; whoever plans with it has locked it."""
    if not turns:
        return
    for schedule in with_layers(Schedule.objects.filter(pk__in=list(turns))):
        user_id, people = turns[schedule.pk], members(roster_of(schedule))
        # Switched off since it was planned, if they are not there.
        place = people.index(user_id) if user_id in people else 0
        RoundRobin.objects.filter(pk=schedule.pk).update(last_user=user_id, place=place)
