"""The next round's links, prepared while the one before goes on: they go out on time, whatever dies."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from dating.models import Event, Step
from dating.services.locking import events_lock
from dating.services.planning import rounds_plan
from dating.services.rounds import RoundAt, rounds_numbered, rounds_schedule


@transaction.atomic
def next_links_prepare(*, event_ids: Sequence[UUID], now: datetime, wait: bool = False) -> int:
    """Lay the links of the rounds that follow those which have just begun; returns of how many.

    In a transaction of its own, so that a round's beginning does not wait for it. Were it never called, the
    links would be scheduled when the round ends.
    """
    held = events_lock(
        Event.objects.filter(pk__in=event_ids, step=Step.ROUND, paused_at=None, is_ending=False), wait=wait
    )
    upcoming = rounds_numbered({event.pk: event.current_round + 1 for event in held})
    events = [event for event in held if event.pk in upcoming and upcoming[event.pk].starts_at is None]
    outlooks = rounds_plan({event: event.current_round + 1 for event in events})
    starts = [
        RoundAt(event, upcoming[event.pk], event.deadline_at + timedelta(seconds=event.break_s))
        for event in events
        if outlooks[event.pk].anybody and event.deadline_at
    ]
    rounds_schedule(starts, now=now)
    return len(starts)
