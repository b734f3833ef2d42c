"""What the queue runs for dating. Jobs take ids, and running one twice changes nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings

from config import clock
from dating import selectors, timers
from dating.selectors import Due
from dating.services.advance import events_advance
from dating.services.calls import calls_end, rooms_make
from dating.services.evening import pauses_end
from dating.services.events import events_recur
from dating.services.next_links import next_links_prepare
from dating.services.polling import rooms_poll
from notifications import queue
from notifications.engine import wake
from notifications.looks import first

ADVANCE = "dating-advance"
AHEAD = "dating-ahead"
ROOMS = "dating-rooms"
LOOKS = "dating-looks"
CALLS = "dating-calls"
PAUSES = "dating-pauses"
#: Jobs that take steps at the same time.
LANES = 2
#: People of the evenings that are seen to in one transaction.
PEOPLE_AT_ONCE = 500
#: So many steps of events that are not on yet, each in its own transaction, and others get their turn.
STEPS_ALONE = 8


# Whether the tick would find anything, as notifications.looks asks it.
ANY_DUE: Final = " OR ".join(
    (
        first(
            "dating_event WHERE paused_at IS NULL"
            f" AND deadline_at <= %(now)s::timestamptz + interval '{timers.HORIZON_S} s'"
            f" AND (retry_at IS NULL OR retry_at <= %(now)s::timestamptz + interval '{timers.HORIZON_S} s')",
            by="deadline_at",
        ),
        first(
            "dating_event WHERE paused_at"
            f" <= %(now)s::timestamptz - interval '{settings.DATING_PAUSE_MAX_S} s'",
            by="paused_at",
        ),
        *(first(f"dating_room WHERE {at} <= %(now)s", by=at) for at in ("try_at", "look_at", "end_at")),
    )
)


def tick(now: datetime) -> None:
    """Hand out what is due, and set a timer for what is due before the next look."""
    horizon = now + timedelta(seconds=timers.HORIZON_S)
    deadlines = selectors.deadlines_until(horizon)
    if due := sum(deadline_at <= now for deadline_at in deadlines):
        _hand_out(due)
    for deadline_at, count in Counter(deadlines).items():
        if deadline_at > now:
            timers.at(deadline_at, "dating", partial(_ring, count), now=now)
    if selectors.pauses_are_over(now):
        queue.enqueue_unless_waiting(PAUSES, pauses)
    rooms_due = selectors.rooms_due(now)
    if rooms_due.to_make:
        queue.enqueue_unless_waiting(ROOMS, rooms)
    if rooms_due.to_poll:
        queue.enqueue_unless_waiting(LOOKS, looks)
    if rooms_due.to_end:
        queue.enqueue_unless_waiting(CALLS, calls)


def _ring(events: int) -> None:
    """The links that were laid out for this time go out, and the steps that it brings are taken."""
    wake.publish()
    _hand_out(events)


def _hand_out(events: int) -> None:
    """Have several workers take steps at once; each passes over what another is at."""
    for lane in range(min(events, LANES)):
        queue.enqueue_unless_waiting(f"{ADVANCE}-{lane}", advance, lane)


@queue.on(queue.DEFAULT)
def advance(lane: int) -> None:
    """Take the steps that are due: those of some events, so that other jobs get their turn."""
    queue.started(f"{ADVANCE}-{lane}")
    now = clock.now()
    taken = 0
    for event_ids in _together(selectors.events_due(now)):
        taken += events_advance(event_ids=event_ids, now=now)
        if taken and (len(event_ids) > 1 or taken >= STEPS_ALONE):
            break
    if taken and selectors.events_due(now):
        queue.enqueue_unless_waiting(f"{ADVANCE}-{lane}", advance, lane)
    if selectors.rooms_due(now).to_end:
        queue.enqueue_unless_waiting(CALLS, calls)
    if selectors.events_without_next_links():
        queue.enqueue_unless_waiting(f"{AHEAD}-{lane}", ahead, lane)


@queue.on(queue.DEFAULT)
def ahead(lane: int) -> None:
    """Lay the links of the rounds that follow those which have just begun."""
    queue.started(f"{AHEAD}-{lane}")
    now = clock.now()
    for event_ids in _together(selectors.events_without_next_links()):
        if next_links_prepare(event_ids=event_ids, now=now):
            queue.enqueue_unless_waiting(f"{AHEAD}-{lane}", ahead, lane)
            break


def _together(due: Iterable[Due]) -> Iterator[list[UUID]]:
    """Divide events into those that take their step in one transaction.

    Evenings that are on wait for nobody, and many are cheaper together. Others may take long, for groups to
    be made: each by itself.
    """
    some: list[UUID] = []
    people_in_them = 0
    for event_id, is_live, people in due:
        if some and (not is_live or people_in_them + people > PEOPLE_AT_ONCE):
            yield some
            some, people_in_them = [], 0
        if is_live:
            some.append(event_id)
            people_in_them += people
        else:
            yield [event_id]
    if some:
        yield some


@queue.on(queue.DEFAULT)
def rooms() -> None:
    """Make rooms ahead, a part at a time, so that others get their turn."""
    queue.started(ROOMS)
    rooms_make(now=clock.now())


@queue.on(queue.DEFAULT)
def looks() -> None:
    """Ask providers who is in the calls."""
    queue.started(LOOKS)
    rooms_poll(now=clock.now())


@queue.on(queue.DEFAULT)
def calls() -> None:
    """End the calls whose round is over."""
    queue.started(CALLS)
    calls_end(now=clock.now())


@queue.on(queue.DEFAULT)
def pauses() -> None:
    """End the evenings that were paused, and that nobody lets go on."""
    queue.started(PAUSES)
    pauses_end(now=clock.now())


@queue.on(queue.DEFAULT)
def recur() -> None:
    """Every few minutes: make the events that recurring rules are due to have."""
    events_recur(now=clock.now())
