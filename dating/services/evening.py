"""While an evening is on: who is ready, who enters a call, and what the organiser does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from config.exceptions import Conflict
from dating.life.timeline import LIVE
from dating.models import Event, LogEntry, Registration, Room, Round, Seat, Step
from dating.services.advance import event_call_off
from dating.services.closing import CALLED_OFF
from dating.services.locking import event_hold, registration_hold
from dating.services.planning import round_plan
from dating.services.rounds import Start, links_cancel, rounds_lay
from dating.services.telling import local_clock, tell

#: The longest that one round can be extended by at once, in seconds.
EXTENSION_MAX_S: Final = 3600


@transaction.atomic
def ready_mark(*, event: Event, user: User, now: datetime) -> Registration:
    """Note that somebody is there; once everybody is, the first round begins at once.

    Raises:
        Conflict: they don't take part, or nobody is asked yet, or it is over.
    """
    event = event_hold(event.pk)
    member = _member(event, user)
    if event.step not in LIVE:
        raise Conflict("Nobody is asked whether they are ready now.")
    was_missing = member.missed_at is not None
    member.ready_at = member.ready_at or now
    member.last_sign_at = now
    member.save(update_fields=["ready_at", "last_sign_at"])
    if event.step == Step.READY_CHECK:
        _begin_if_all_are_ready(event, now)
    elif was_missing:
        _plan_anew(event, now)
    return member


def _always(seat: Seat) -> bool:
    return True


@transaction.atomic
def join_mark(*, event: Event, user: User, now: datetime, comes_in: Callable[[Seat], bool] = _always) -> Seat:
    """Note that somebody enters their call of the round that goes on; returns their seat in it.

    Args:
        comes_in: says of the seat whether they are in the call now, or have only given a sign that they come.

    Raises:
        Conflict: they don't take part, or have no call now.
    """
    event = event_hold(event.pk)
    member = _member(event, user)
    seat = seat_now(event, member, now=now)
    if seat is None:
        raise Conflict("There is no call for you now.")
    if seat.joined_at is None and comes_in(seat):
        seat.joined_at = now
        seat.save(update_fields=["joined_at"])
    was_missing = member.missed_at is not None
    member.last_sign_at = now
    member.save(update_fields=["last_sign_at"])
    if was_missing and event.step in LIVE:
        _plan_anew(event, now)
    return seat


def seat_now(event: Event, member: Registration, *, now: datetime) -> Seat | None:
    """Return somebody's seat in the round that goes on by the clock, whoever has taken note of its start.

    While the clock is stopped, the calls of its round go on.
    """
    is_stopped = Q(round__event__paused_at__isnull=False, round__status=Round.Status.RUNNING)
    return (
        Seat.objects.filter(
            Q(round__ends_at__gt=now) | is_stopped,
            registration=member,
            round__event=event,
            round__starts_at__lte=now,
            round__status__in=[Round.Status.PLANNED, Round.Status.RUNNING],
        )
        .select_related("round", "date__room", "date__first__user", "date__second__user")
        .order_by("-round__number")
        .first()
    )


@transaction.atomic
def event_pause(*, event: Event, now: datetime) -> Event:
    """Stop the clock of an evening; the calls that go on are not ended meanwhile. Again: nothing.

    Raises:
        Conflict: it is not on.
    """
    event = event_hold(event.pk)
    _refuse_unless_live(event)
    if event.paused_at is not None:
        return event
    event.paused_at = now
    event.save(update_fields=["paused_at"])
    links_cancel(event.rounds.filter(status=Round.Status.PLANNED))
    _log(event, "paused", now)
    _tell_members(event, "dating.paused", key=now.isoformat())
    return event


@transaction.atomic
def event_resume(*, event: Event, now: datetime) -> Event:
    """Have the clock of an evening go on; all that was to come comes later by the pause. Again: nothing.

    Raises:
        Conflict: it is not on.
    """
    event = event_hold(event.pk)
    _refuse_unless_live(event)
    if event.paused_at is None:
        return event
    _shift(event, max(now - event.paused_at, timedelta()))
    event.paused_at = None
    event.save(update_fields=["paused_at"])
    _lay_anew(event, now)
    _log(event, "resumed", now)
    _tell_members(event, "dating.resumed", key=now.isoformat(), until_at=event.deadline_at)
    return event


@transaction.atomic
def event_extend_round(*, event: Event, by: timedelta, now: datetime) -> Event:
    """Let the round that goes on take longer; all that was to come comes later.

    Raises:
        Conflict: no round goes on.
    """
    event = event_hold(event.pk)
    if event.step != Step.ROUND:
        raise Conflict("No round is going on that could be extended.")
    _shift(event, by)
    if event.paused_at is None:
        _lay_anew(event, now)
    _log(event, "extended", now, by_s=by.total_seconds())
    key = f"{event.current_round}:{event.deadline_at}"
    _tell_members(event, "dating.extended", key=key, until_at=event.deadline_at)
    return event


@transaction.atomic
def event_drop(*, event: Event, registration_id: UUID, now: datetime) -> Registration:
    """Take somebody out of an evening: their call is ended, and their partners meet others. Again: nothing.

    Raises:
        Conflict: they don't take part, or it is over.
    """
    event = event_hold(event.pk)
    member = event.registrations.select_for_update(of=("self",)).filter(pk=registration_id).first()
    if member is None or member.group_id is None:
        raise Conflict("There is nobody of that id in a group of this event.")
    if member.state == Registration.State.DROPPED:
        return member
    if event.is_over:
        raise Conflict("The event is over.")
    member.state = Registration.State.DROPPED
    member.sequence += 1
    member.save(update_fields=["state", "sequence"])
    here = Room.objects.filter(dates__seats__registration=member, dates__round__status=Round.Status.RUNNING)
    here.update(end_at=now)
    _plan_anew(event, now)
    _log(event, "dropped", now, registration_id=str(member.pk))
    tell(event, "dating.dropped", [member.user_id], key=str(member.pk), urgent=True)
    return member


@transaction.atomic
def event_end(*, event: Event, now: datetime) -> Event:
    """End an event early: one that has not begun is called off; else its round ends now, and no other comes.

    Who is in a round still gets the break, to rate. Again: nothing.
    """
    event = event_hold(event.pk)
    if event.is_over or event_call_off(event_id=event.pk, now=now, reason=CALLED_OFF):
        return Event.objects.get(pk=event.pk)
    if event.paused_at is not None:
        event = event_resume(event=event, now=now)
    event.is_ending = True
    if event.step == Step.ROUND:
        event.deadline_at = now
    event.save(update_fields=["is_ending", "deadline_at"])
    links_cancel(event.rounds.filter(status=Round.Status.PLANNED))
    _log(event, "ending", now)
    return event


def _member(event: Event, user: User) -> Registration:
    member = registration_hold(event, user.pk)
    if member is None or member.group_id is None or member.state != Registration.State.CONFIRMED:
        raise Conflict("You don't take part in this event.")
    return member


def _refuse_unless_live(event: Event) -> None:
    if event.step not in LIVE:
        raise Conflict("The event is not going on.")


def _begin_if_all_are_ready(event: Event, now: datetime) -> None:
    members = event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED)
    # At its time it begins anyhow, and its links may have gone out: moving it then would send them once more.
    is_early = event.deadline_at is not None and now < event.deadline_at
    if event.paused_at is None and is_early and not members.filter(ready_at=None).exists():
        event.deadline_at = now
        event.save(update_fields=["deadline_at"])


def _shift(event: Event, by: timedelta) -> None:
    assert event.deadline_at
    event.deadline_at += by
    event.save(update_fields=["deadline_at"])
    if event.step == Step.ROUND:
        round_ = event.rounds.get(number=event.current_round)
        round_.ends_at = event.deadline_at
        round_.save(update_fields=["ends_at"])


def _next_start(event: Event) -> datetime:
    """When the next round starts, as things are."""
    assert event.deadline_at
    if event.step == Step.ROUND:
        return event.deadline_at + timedelta(seconds=event.break_s)
    return event.deadline_at


def _lay_anew(event: Event, now: datetime) -> None:
    upcoming = event.rounds.filter(number=event.current_round + 1).first()
    if upcoming is not None and not event.is_ending and upcoming.dates.exists():
        rounds_lay([Start(event, upcoming, _next_start(event))], now=now)


def _plan_anew(event: Event, now: datetime) -> None:
    """Have the next round follow who is there now. Before the ready check nothing has been laid out yet."""
    number = event.current_round + 1
    if event.step not in (*LIVE, Step.CLOSED) or event.is_ending:
        return
    outlook = round_plan(event, number)
    if event.step not in LIVE or event.paused_at is not None or not outlook.has_changed:
        return
    if outlook.anybody:
        rounds_lay([Start(event, event.rounds.get(number=number), _next_start(event))], now=now)
    else:
        links_cancel(event.rounds.filter(number=number))


def _tell_members(event: Event, kind: str, *, key: str, until_at: datetime | None = None) -> None:
    users = event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED)
    more = {"until": local_clock(until_at, event.time_zone)} if until_at else {}
    tell(event, kind, list(users.values_list("user_id", flat=True)), key=key, urgent=True, **more)


def _log(event: Event, what: str, now: datetime, **details: object) -> None:
    LogEntry.objects.create(
        event=event,
        what=what,
        round_number=event.current_round or None,
        due_at=now,
        done_at=now,
        details=details,
    )
