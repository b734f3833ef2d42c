"""An event's life: whatever is due is done, step by step, each with its messages in one transaction.

Any number of processes may do this for the same event at once, and any of them may die at any instant: a step
is taken by compare-and-set on the step and the deadline that stand in the event's row, and nothing that
belongs to it outlives its transaction, nor is missing after it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import OperationalError, transaction

from dating.evening.timeline import Position, following
from dating.models import STATE_OF, Event, LogEntry, Step
from dating.services.closing import event_close, event_skip
from dating.services.locking import event_lock, events_lock
from dating.services.next_links import next_links_prepare
from dating.services.places import WITH_PLACE
from dating.services.registrations import registrations_ask
from dating.services.reminding import reminder_cancel
from dating.services.rounds import RoundAt, links_cancel, rounds_give_up, rounds_schedule
from dating.services.steps import DueStep, breaks_end, rounds_begin, rounds_end
from dating.services.telling import tell

log = structlog.get_logger(__name__)

#: Between two tries of a step that fails: as long as it is late by then, so that each is twice the last.
_PAUSE_LEAST: Final = timedelta(seconds=1)
_PAUSE_MOST: Final = timedelta(seconds=30)


def event_advance(*, event_id: UUID, now: datetime) -> list[str]:
    """Take every step of an event that is due, in order; returns their names."""
    taken: list[str] = []
    while due_steps := _take([event_id], now, wait=True):
        taken += [due.there.step for due in due_steps if due.there]
        next_links_prepare(event_ids=[event_id], now=now, wait=True)
    return taken


def events_advance(*, event_ids: Sequence[UUID], now: datetime) -> int:
    """Take the next step of each of these events that is due, together; returns how many took one.

    Those that somebody else is at are passed over. One that fails does not keep the others from their step;
    it is tried again after a pause.
    """
    try:
        return len(_take(event_ids, now))
    except Exception as error:
        if len(event_ids) == 1:
            log.exception("dating_event_failed", evening=str(event_ids[0]))
            # A deadlock, or a database that is away, says nothing of the event.
            if not isinstance(error, OperationalError):
                # Have an event's step, which failed, tried again: the later it is, the less often.
                event_id = event_ids[0]
                event = Event.objects.filter(pk=event_id, deadline_at__lte=now).first()
                if event is not None and event.deadline_at is not None:
                    wait = min(max(now - event.deadline_at, _PAUSE_LEAST), _PAUSE_MOST)
                    Event.objects.filter(pk=event_id, deadline_at=event.deadline_at).update(
                        retry_at=now + wait
                    )
            return 0
    half = len(event_ids) // 2
    return sum(events_advance(event_ids=part, now=now) for part in (event_ids[:half], event_ids[half:]))


@transaction.atomic
def _take(event_ids: Sequence[UUID], now: datetime, *, wait: bool = False) -> list[DueStep]:
    events = Event.objects.filter(pk__in=event_ids, deadline_at__lte=now, paused_at=None)
    due_steps = [
        DueStep(event, Position(event.step, event.deadline_at, event.current_round))
        for event in events_lock(events, wait=wait)
    ]
    by_step: dict[Step, list[DueStep]] = defaultdict(list)
    for due in due_steps:
        by_step[Step(due.here.step)].append(due)
    for step, those in by_step.items():
        _STEPS[step](those, now)
        _go(those, now)
    return due_steps


def _go(due_steps: Sequence[DueStep], now: datetime) -> None:
    """Write the steps down, unless somebody else has taken one."""
    alike: dict[tuple[Position, Position, str, UUID | None], list[UUID]] = defaultdict(list)
    for due in due_steps:
        event, there = due.event, due.there
        assert there
        own = event.pk if event.results is not None else None  # nobody's results are another's
        alike[due.here, there, event.skipped_reason, own].append(event.pk)
    results = {due.event.pk: due.event.results for due in due_steps}
    for (here, there, skipped_reason, own), events in alike.items():
        here_still = Event.objects.filter(
            pk__in=events,
            step=here.step,
            deadline_at=here.deadline_at,
            paused_at=None,
            current_round=here.round,
        )
        moved = here_still.update(
            step=there.step,
            state=STATE_OF[there.step],
            deadline_at=there.deadline_at,
            retry_at=None,
            current_round=there.round,
            skipped_reason=skipped_reason,
            results=results.get(own) if own else None,
            over_at=now if there.deadline_at is None else None,
        )
        if moved != len(events):
            raise RuntimeError(f"Of {len(events)} events only {moved} are in {here.step} still, though held.")
    entries = []
    for due in due_steps:
        assert due.there
        what, number = due.there.step, due.there.round or None
        entries.append(LogEntry(event=due.event, what=what, round_number=number, due_at=due.at, done_at=now))
        log.info("dating_event_step", evening=str(due.event.pk), step=what, round=due.there.round)
    LogEntry.objects.bulk_create(entries)


def _each(
    take: Callable[[Event, Position, datetime], Position],
) -> Callable[[Sequence[DueStep], datetime], None]:
    """Make a step of one event one of many."""

    def take_each(due_steps: Sequence[DueStep], now: datetime) -> None:
        for due in due_steps:
            due.there = take(due.event, due.here, now)

    return take_each


def _open(event: Event, here: Position, now: datetime) -> Position:
    registrations_ask(event=event, now=now)
    return following(event, here, now=now)


def _closed(event: Event, here: Position, now: datetime) -> Position:
    members = event.registrations.filter(group__isnull=False, state__in=WITH_PLACE)
    users = members.values_list("user_id", flat=True)
    first_round_ends_at = event.starts_at + timedelta(seconds=event.round_s)
    # How long rounds and breaks take, in seconds, and as people say it
    times: dict[str, Any] = {}
    for name, seconds in (("round", event.round_s), ("break", event.break_s)):
        minutes, rest = divmod(seconds, 60)
        times |= {f"{name}_s": seconds, f"{name}_min": minutes, f"{name}_rest_s": rest}
    tell(event, "dating.rules", users, key="all", expires_at=first_round_ends_at, **times)
    there = following(event, here, now=now)
    assert there.deadline_at
    rounds_schedule([RoundAt(event, event.rounds.get(number=1), there.deadline_at)], now=now)
    return there


_STEPS: Final[dict[Step, Callable[[Sequence[DueStep], datetime], None]]] = {
    Step.OPEN: _each(_open),
    Step.CONFIRMING: _each(
        lambda event, here, now: following(
            event, here, now=now, takes_place=event_close(event=event, now=now)
        )
    ),
    Step.CLOSED: _each(_closed),
    Step.READY_CHECK: rounds_begin,
    Step.ROUND: rounds_end,
    Step.BREAK: breaks_end,
}


@transaction.atomic
def event_call_off(*, event_id: UUID, now: datetime, reason: str) -> bool:
    """Have an event that has not begun not take place; returns False if it has begun, or is over."""
    event = event_lock(event_id)
    if event.state not in (0, 1, 2):
        return False
    event.skipped_reason = reason
    links_cancel(event.rounds.all())
    rounds_give_up([event])
    event_skip(event=event, now=now)
    if event.paused_at is not None:
        reminder_cancel(event=event)
    Event.objects.filter(pk=event.pk).update(paused_at=None)
    here = Position(event.step, event.deadline_at, event.current_round)
    _go([DueStep(event, here, Position(Step.SKIPPED, None, event.current_round))], now)
    return True
