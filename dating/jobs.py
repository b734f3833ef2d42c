"""What the queue runs for dating. Jobs take ids, and running one twice changes nothing."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from dating import selectors, timers
from dating.services.advance import events_advance
from dating.services.calls import calls_end, rooms_make
from dating.services.events import events_recur
from notifications import queue
from notifications.engine import wake

ADVANCE = "dating-advance"
ROOMS = "dating-rooms"
CALLS = "dating-calls"
#: Jobs that take steps at the same time, and events that each of them sees to before it lets others work.
LANES = 4
AT_ONCE = 8


def tick(now: datetime) -> None:
    """Every second: hand out what is due, and set a timer for what is due before the next look."""
    horizon = now + timedelta(seconds=timers.HORIZON_S)
    deadlines = [deadline_at for _, deadline_at in selectors.deadlines_until(horizon)]
    if due := sum(deadline_at <= now for deadline_at in deadlines):
        _hand_out(due)
    for deadline_at, count in Counter(deadlines).items():
        if deadline_at > now:
            timers.at(deadline_at, "dating", partial(_ring, count), now=now)
    if selectors.rooms_to_make(now).exists():
        queue.enqueue_unless_waiting(ROOMS, rooms)
    if selectors.calls_to_end(now).exists():
        queue.enqueue_unless_waiting(CALLS, calls)


def _ring(events: int) -> None:
    """The links that were laid out for this time go out, and the steps that it brings are taken."""
    wake.publish()
    _hand_out(events)


def _hand_out(events: int) -> None:
    """Have several workers take steps at once; each passes over what another is at."""
    for lane in range(min(events, LANES)):
        queue.enqueue_unless_waiting(f"{ADVANCE}-{lane}", advance, lane)


def advance(lane: int) -> None:
    """Take the steps that are due: those of some events, so that other jobs get their turn."""
    queue.started(f"{ADVANCE}-{lane}")
    now = timezone.now()
    due = [event_id for event_id, _ in selectors.deadlines_until(now)]
    # Each lane begins elsewhere, so that they seldom meet.
    first = len(due) * lane // LANES
    taken = events_advance(event_ids=[*due[first:], *due[:first]][:AT_ONCE], now=now)
    if selectors.calls_to_end(now).exists():
        queue.enqueue_unless_waiting(CALLS, calls)
    if taken and len(due) > AT_ONCE:
        queue.enqueue_unless_waiting(f"{ADVANCE}-{lane}", advance, lane)


def rooms() -> None:
    """Make rooms ahead, a part at a time, so that others get their turn."""
    queue.started(ROOMS)
    rooms_make(now=timezone.now())


def calls() -> None:
    """End the calls whose round is over."""
    queue.started(CALLS)
    calls_end(now=timezone.now())


def recur() -> None:
    """Every few minutes: make the events that recurring rules are due to have."""
    events_recur(now=timezone.now())
