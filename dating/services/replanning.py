"""While an evening is on: its next round follows who is there now; what changes it is noted in its log."""

from datetime import datetime, timedelta

from dating.evening.timeline import LIVE
from dating.models import Event, LogEntry, Registration, Step
from dating.services.planning import round_plan
from dating.services.rounds import RoundAt, links_cancel, rounds_schedule


def next_round_replan(event: Event, now: datetime) -> None:
    """Have the next round follow who is there now. Before the ready check nothing has been scheduled yet.

    One that has begun by the clock stays as it is, though nobody has taken that step yet: people are in it.
    """
    number = event.current_round + 1
    # Its links go out at its time, whoever is late with the step.
    is_waited_for = event.step in (Step.READY_CHECK, Step.BREAK) and event.paused_at is None
    has_begun = is_waited_for and event.deadline_at is not None and event.deadline_at <= now
    if event.step not in (*LIVE, Step.CLOSED) or event.is_ending or has_begun:
        return
    outlook = round_plan(event, number)
    if event.step not in LIVE or event.paused_at is not None or not outlook.has_changed:
        return
    if outlook.anybody:
        rounds_schedule([RoundAt(event, event.rounds.get(number=number), _next_start(event))], now=now)
    else:
        links_cancel(event.rounds.filter(number=number))


def next_round_reschedule(event: Event, now: datetime) -> None:
    """Schedule the links of the next round once more: it is to start at another time."""
    upcoming = event.rounds.filter(number=event.current_round + 1).first()
    if upcoming is not None and not event.is_ending and upcoming.dates.exists():
        rounds_schedule([RoundAt(event, upcoming, _next_start(event))], now=now)


def begin_if_all_are_ready(event: Event, now: datetime) -> None:
    """Have the first round begin at once, if nobody is missing."""
    if event.step != Step.READY_CHECK or event.paused_at is not None:
        return
    members = event.registrations.filter(group__isnull=False, state=Registration.State.CONFIRMED)
    # At its time it begins anyhow, and its links may have gone out: moving it then would send them once more.
    is_early = event.deadline_at is not None and now < event.deadline_at
    if is_early and not members.filter(ready_at=None).exists():
        event.deadline_at = now
        event.save(update_fields=["deadline_at"])


def _next_start(event: Event) -> datetime:
    """When the next round starts, as things are."""
    assert event.deadline_at
    return event.deadline_at + timedelta(seconds=event.break_s if event.step == Step.ROUND else 0)


def note(event: Event, what: str, now: datetime, **details: object) -> None:
    LogEntry.objects.create(
        event=event,
        what=what,
        round_number=event.current_round or None,
        due_at=now,
        done_at=now,
        details=details,
    )
