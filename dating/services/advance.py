"""An event's life: whatever is due is done, step by step, each with its messages in one transaction.

Any number of processes may do this for the same event at once, and any of them may die at any instant: a step
is taken by compare-and-set on the step and the deadline that stand in the event's row, and nothing that
belongs to it outlives its transaction, nor is missing after it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction

from dating.life.timeline import Position, following, is_due, passed
from dating.models import STATE_OF, Date, Event, LogEntry, Room, Round, Step
from dating.services.breaks import ratings_ask, round_judge
from dating.services.closing import event_close, event_skip
from dating.services.finishing import event_finish
from dating.services.locking import event_hold, event_hold_if_free
from dating.services.registrations import HOLDING, registrations_ask
from dating.services.rounds import links_cancel, links_were_sent, round_lay, round_plan
from dating.services.telling import tell

log = structlog.get_logger(__name__)


def event_advance(*, event_id: UUID, now: datetime) -> list[str]:
    """Take every step of an event that is due, in order; returns their names."""
    taken: list[str] = []
    while (there := _take_one(event_id, now, event_hold)) is not None:
        taken.append(there.step)
        if not is_due(there.deadline_at, None, now):
            break
    return taken


def events_advance(*, event_ids: Iterable[UUID], now: datetime) -> int:
    """Take the steps that are due of many events, but for those that somebody else is at; returns how many.

    One that fails does not keep the others from theirs; it is due again at the next look.
    """
    taken = 0
    for event_id in event_ids:
        try:
            while (there := _take_one(event_id, now, event_hold_if_free)) is not None:
                taken += 1
                if not is_due(there.deadline_at, None, now):
                    break
        except Exception:
            log.exception("dating_event_failed", evening=str(event_id))
    return taken


@transaction.atomic
def _take_one(event_id: UUID, now: datetime, hold: Callable[[UUID], Event | None]) -> Position | None:
    event = hold(event_id)
    if event is None or not is_due(event.deadline_at, event.paused_at, now):
        return None
    here = Position(event.step, event.deadline_at, event.current_round)
    there = _STEPS[Step(event.step)](event, here, now)
    _go(event, here, there, now)
    return there


def _go(event: Event, here: Position, there: Position, now: datetime) -> None:
    """Write the step down, unless somebody else has taken it."""
    here_still = Event.objects.filter(
        pk=event.pk, step=here.step, deadline_at=here.deadline_at, paused_at=None, current_round=here.round
    )
    assert here.deadline_at
    over_at = now if there.deadline_at is None else None
    moved = here_still.update(
        step=there.step,
        state=STATE_OF[there.step],
        deadline_at=there.deadline_at,
        current_round=there.round,
        skipped_reason=event.skipped_reason,
        results=event.results,
        over_at=over_at,
    )
    if moved != 1:
        raise RuntimeError(f"Event {event.pk} is not in {here.step} any more, though it is held.")
    LogEntry.objects.create(
        event=event, what=there.step, round_number=there.round or None, due_at=here.deadline_at, done_at=now
    )
    log.info("dating_event_step", evening=str(event.pk), step=there.step, round=there.round)


def _open(event: Event, here: Position, now: datetime) -> Position:
    registrations_ask(event=event, now=now)
    return following(event, here, now=now)


def _confirming(event: Event, here: Position, now: datetime) -> Position:
    takes_place = event_close(event=event, now=now)
    return following(event, here, now=now, takes_place=takes_place)


def _closed(event: Event, here: Position, now: datetime) -> Position:
    users = event.registrations.filter(group__isnull=False, state__in=HOLDING).values_list(
        "user_id", flat=True
    )
    tell(event, "dating.rules", users, key="all", urgent=True, round_s=event.round_s, break_s=event.break_s)
    there = following(event, here, now=now)
    assert there.deadline_at
    round_lay(event, 1, starts_at=there.deadline_at, now=now)
    return there


def _round_begins(event: Event, here: Position, now: datetime) -> Position:
    """Begin the next round, and lay out the links of the one after it.

    A round that was over before anybody was sent to it counts as missed: its dates are not held later.
    """
    there = following(event, here, now=now, more_rounds=True)
    assert here.deadline_at
    assert there.deadline_at
    round_ = event.rounds.get(number=there.round)
    if round_.starts_at != here.deadline_at:
        round_lay(event, there.round, starts_at=here.deadline_at, now=now)
        round_.refresh_from_db()
    missed = passed(there.deadline_at, now) and not links_were_sent(round_)
    if missed:
        links_cancel(round_)
    round_.status = Round.Status.MISSED if missed else Round.Status.RUNNING
    round_.save(update_fields=["status"])
    round_.dates.update(status=Date.Status.MISSED if missed else Date.Status.HELD)
    Room.objects.filter(dates__round=round_).update(end_at=None)  # an end that comes now would end this call
    _lay_next(event, there, now)
    return there


def _lay_next(event: Event, there: Position, now: datetime) -> None:
    """Have the links of the next round lie ready: they go out at its start whoever is busy or dead then."""
    break_ = following(event, there, now=now, more_rounds=True)
    assert break_.deadline_at
    if round_plan(event, there.round + 1):
        round_lay(event, there.round + 1, starts_at=break_.deadline_at, now=now)


def _round_ends(event: Event, here: Position, now: datetime) -> Position:
    """End the calls, ask for ratings, and plan the next round anew if somebody did not come, or came back."""
    assert here.deadline_at
    round_ = event.rounds.get(number=here.round)
    if round_.status == Round.Status.RUNNING:
        Room.objects.filter(dates__round=round_).update(end_at=here.deadline_at)
        round_judge(event, round_, at=here.deadline_at)
        ratings_ask(event, round_)
        round_.status = Round.Status.OVER
    round_.ends_at = here.deadline_at
    round_.save(update_fields=["status", "ends_at"])
    before = _pairs_of(event, here.round + 1)
    more = not event.is_ending and round_plan(event, here.round + 1)
    there = following(event, here, now=now, more_rounds=more)
    assert there.deadline_at
    upcoming = event.rounds.filter(number=here.round + 1).first()
    if upcoming is None:
        return there
    if not more:
        links_cancel(upcoming)
    elif before != _pairs_of(event, here.round + 1) or upcoming.starts_at != there.deadline_at:
        round_lay(event, here.round + 1, starts_at=there.deadline_at, now=now)
    return there


def _pairs_of(event: Event, number: int) -> set[UUID]:
    return set(Date.objects.filter(round__event=event, round__number=number).values_list("pk", flat=True))


def _break_ends(event: Event, here: Position, now: datetime) -> Position:
    if not event.is_ending and _pairs_of(event, here.round + 1):
        return _round_begins(event, here, now)
    event.rounds.filter(status=Round.Status.PLANNED).delete()
    event_finish(event=event, now=now)
    return following(event, here, now=now, more_rounds=False)


_STEPS: Final[dict[Step, Callable[[Event, Position, datetime], Position]]] = {
    Step.OPEN: _open,
    Step.CONFIRMING: _confirming,
    Step.CLOSED: _closed,
    Step.READY_CHECK: _round_begins,
    Step.ROUND: _round_ends,
    Step.BREAK: _break_ends,
}


@transaction.atomic
def event_call_off(*, event_id: UUID, now: datetime, reason: str) -> bool:
    """Have an event that has not begun not take place; returns False if it has begun, or is over."""
    event = event_hold(event_id)
    if event.state not in (0, 1, 2):
        return False
    event.skipped_reason = reason
    for round_ in event.rounds.all():
        links_cancel(round_)
    event_skip(event=event)
    Event.objects.filter(pk=event.pk).update(paused_at=None)
    _go(
        event,
        Position(event.step, event.deadline_at, event.current_round),
        Position(Step.SKIPPED, None, event.current_round),
        now,
    )
    return True
