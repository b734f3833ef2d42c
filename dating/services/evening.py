"""While an evening is on: who is ready, who enters a call, and what the organiser does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from accounts.models import User
from config.rest.exceptions import Conflict
from dating.evening.timeline import LIVE
from dating.models import Event, Registration, Round, Seat, Step
from dating.services.advance import event_call_off
from dating.services.closing import CALLED_OFF, PAUSED
from dating.services.locking import event_lock, registration_lock
from dating.services.reminding import longest_pause, reminder_cancel, runners_remind
from dating.services.replanning import begin_if_all_are_ready, next_round_replan, next_round_reschedule, note
from dating.services.rounds import rounds_unschedule
from dating.services.telling import tell

log = structlog.get_logger(__name__)

#: The longest that one round can be extended by at once, in seconds.
EXTENSION_MAX_S: Final = 3600


@transaction.atomic
def ready_mark(*, event: Event, user: User, now: datetime) -> Registration:
    """Note that somebody is there; once everybody is, the first round begins at once.

    Conflict: they don't take part, or nobody is asked yet, or it is over.
    """
    event = event_lock(event.pk)
    member = _member(event, user)
    if event.step not in LIVE:
        raise Conflict(gettext("The ready check is not open now."))
    was_missing = member.missed_at is not None
    member.ready_at = member.ready_at or now
    member.last_sign_at = now
    member.save(update_fields=["ready_at", "last_sign_at"])
    if event.step == Step.READY_CHECK:
        begin_if_all_are_ready(event, now)
    elif was_missing:
        next_round_replan(event, now)
    return member


@transaction.atomic
def join_mark(
    *, event: Event, user: User, now: datetime, comes_in: Callable[[Seat], bool] = lambda seat: True
) -> Seat:
    """Note that somebody enters their call of the round that goes on; returns their seat in it.

    Args:
        comes_in: says of the seat whether they are in the call now, or have only given a sign that they come.

    Raises:
        Conflict: they don't take part, or have no call now.
    """
    event = event_lock(event.pk)
    member = _member(event, user)
    seat = seat_now(event, member, now=now)
    if seat is None:
        raise Conflict(gettext("You have no call now."))
    if seat.joined_at is None and comes_in(seat):
        seat.joined_at = now
        seat.save(update_fields=["joined_at"])
    was_missing = member.missed_at is not None
    member.last_sign_at = now
    member.save(update_fields=["last_sign_at"])
    if was_missing and event.step in LIVE:
        next_round_replan(event, now)
    return seat


def seat_now(event: Event, member: Registration, *, now: datetime) -> Seat | None:
    """Return somebody's seat in the round that goes on by the clock, whoever has taken note of its start.

    While the clock is stopped, the calls of its round go on.
    """
    is_stopped = Q(round__event__paused_at__isnull=False, round__status=Round.Status.RUNNING)
    seats = member.seats.filter(
        Q(round__ends_at__gt=now) | is_stopped,
        round__event=event,
        round__starts_at__lte=now,
        round__status__in=[Round.Status.PLANNED, Round.Status.RUNNING],
    ).select_related("round", "date__room", "date__first__user", "date__second__user")
    return seats.order_by("-round__number").first()


@transaction.atomic
def event_pause(*, event: Event, now: datetime) -> Event:
    """Stop the clock; calls go on meanwhile. Again: nothing. Conflict: the evening is not on."""
    event = event_lock(event.pk)
    _refuse_unless_live(event)
    if event.paused_at is not None:
        return event
    event.paused_at = now
    event.save(update_fields=["paused_at"])
    rounds_unschedule(event, now)
    runners_remind(event=event, paused_at=now)
    note(event, "paused", now)
    _tell_members(event, "dating.paused", key=now.isoformat())
    return event


@transaction.atomic
def event_resume(*, event: Event, now: datetime) -> Event:
    """Let the clock go on; all comes later by the pause. Again: nothing. Conflict: the evening is not on."""
    event = event_lock(event.pk)
    _refuse_unless_live(event)
    if event.paused_at is None:
        return event
    _go_on(event, event.paused_at, now)
    # The last of them may have got ready meanwhile.
    begin_if_all_are_ready(event, now)
    next_round_reschedule(event, now)
    note(event, "resumed", now)
    _tell_members(event, "dating.resumed", key=now.isoformat(), until_at=event.deadline_at)
    return event


@transaction.atomic
def event_extend_round(*, event: Event, by: timedelta, now: datetime) -> Event:
    """Let the round that goes on take longer; the rest comes later. Conflict: no round goes on."""
    event = event_lock(event.pk)
    if event.step != Step.ROUND:
        raise Conflict(gettext("There is no round under way to extend."))
    _shift(event, by)
    if event.paused_at is None:
        next_round_reschedule(event, now)
    note(event, "extended", now, by_s=by.total_seconds())
    key = f"{event.current_round}:{event.deadline_at}"
    _tell_members(event, "dating.extended", key=key, until_at=event.deadline_at)
    return event


@transaction.atomic
def event_end(*, event: Event, now: datetime) -> Event:
    """End an event early: one that has not begun is called off; else its round ends now, and no other comes.

    Who is in a round still gets the break, to rate. Again: nothing.
    """
    event = event_lock(event.pk)
    if not event.is_over:
        _end(event, now, reason=CALLED_OFF)
    return Event.objects.get(pk=event.pk)


def pauses_end(*, now: datetime) -> int:
    """End the events that nobody has let go on for too long; returns how many there were."""
    over = Event.objects.filter(paused_at__lte=now - longest_pause()).order_by("paused_at")
    events = list(over.values_list("pk", flat=True))
    for event_id in events:
        try:
            with transaction.atomic():
                event = event_lock(event_id)
                if event.paused_at is not None and event.paused_at <= now - longest_pause():
                    _end(event, now, reason=PAUSED)
        except Exception:  # the others are to end all the same
            log.exception("dating_pause_not_ended", evening=str(event_id))
    return len(events)


def _end(event: Event, now: datetime, *, reason: str) -> None:
    if event_call_off(event_id=event.pk, now=now, reason=reason):
        return
    if event.paused_at is not None:
        _go_on(event, event.paused_at, now)
    event.is_ending = True
    if event.step == Step.ROUND:
        event.deadline_at = now
    event.save(update_fields=["is_ending", "deadline_at"])
    rounds_unschedule(event, now)
    note(event, "ending", now)


def _go_on(event: Event, paused_at: datetime, now: datetime) -> None:
    """Have an event's clock go on; all that was to come comes later by the pause."""
    reminder_cancel(event=event)
    _shift(event, max(now - paused_at, timedelta()))
    event.paused_at = None
    event.save(update_fields=["paused_at"])


def _member(event: Event, user: User) -> Registration:
    member = registration_lock(event, user.pk)
    if member is None or member.group_id is None or member.state != Registration.State.CONFIRMED:
        raise Conflict(gettext("You are not taking part in this event."))
    return member


def _refuse_unless_live(event: Event) -> None:
    if event.step not in LIVE:
        raise Conflict(gettext("The event is not under way."))


def _shift(event: Event, by: timedelta) -> None:
    assert event.deadline_at
    event.deadline_at += by
    event.save(update_fields=["deadline_at"])
    if event.step == Step.ROUND:
        round_ = event.rounds.get(number=event.current_round)
        round_.ends_at = event.deadline_at
        round_.save(update_fields=["ends_at"])


def _tell_members(event: Event, kind: str, *, key: str, until_at: datetime | None = None) -> None:
    users = event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED)
    tell(event, kind, users.values_list("user_id", flat=True), key=key, until_at=until_at)
