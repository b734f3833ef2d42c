"""Setting recurring rules."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from config.recurrence import occurrences
from dating.models import Event, RecurringRule
from dating.services.events import events_apart

#: How far ahead times are shown; who sets a rule sees these before they save it.
_AHEAD: Final = timedelta(days=366)


class Coming(NamedTuple):
    """A time of a rule, with the event that is there for it; that one may be held at another time."""

    at: datetime
    event: Event | None


def rule_save(*, rule: RecurringRule, now: datetime) -> list[Event]:
    """Store a rule; returns its events that don't follow it, since people come: they stay as they are.

    Raises:
        ValidationError: by field: it says what no rule can.
    """
    rule.full_clean()
    is_new = rule._state.adding
    rule.save()
    return [] if is_new else events_apart(rule=rule, now=now)


def rule_coming(rule: RecurringRule, *, now: datetime, count: int) -> list[Coming]:
    """Return the next times of a rule, stored or not, within a year.

    Raises:
        BadRule: the rule can't be understood.
    """
    times = occurrences(
        rule.rrule, starts_on=rule.starts_on, at=rule.at, time_zone=rule.time_zone, after=now,
        until=now + _AHEAD,
    )[:count]  # fmt: skip
    there = {}
    if not rule._state.adding:
        there = {event.occurrence_at: event for event in rule.events.filter(occurrence_at__in=times)}
    return [Coming(at, there.get(at)) for at in times]
