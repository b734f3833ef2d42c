"""Events come into being: by somebody's hand, or by a recurring rule."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from config.exceptions import Conflict
from config.zones import zone_of
from dating.models import Event, RecurringRule
from dating.models.event import EventSettings
from dating.recurrence import AT_MOST, BadRule, occurrences
from dating.services.advance import event_call_off
from dating.services.closing import CALLED_OFF
from dating.services.locking import event_hold
from dating.services.moving import event_move
from dating.services.places import BEFORE_GROUPS, COMING

log = structlog.get_logger(__name__)

_A_DAY: Final = timedelta(days=1)


def event_create(*, now: datetime, **fields: Any) -> Event:
    """Make an event.

    Raises:
        ValidationError: by field: its registration would be closed already, or something is out of range.
    """
    event = Event(**fields)
    event.full_clean(exclude=["number", "deadline_at"])
    if event.close_at <= now:
        raise ValidationError(
            {"starts_at": "Registration would be closed already: choose a later start, or a later closing."}
        )
    event.save()
    return event


def events_recur(*, now: datetime) -> int:
    """Make the events that recurring rules are due to have; returns how many. Again: none.

    Where a rule has been changed, those of its events that nobody has registered for follow it.
    """
    made = 0
    for rule in RecurringRule.objects.filter(is_active=True):
        try:
            times = _due(rule, now)
            _have_follow(rule, times, now)
            made += _make_missing(rule, times)
        except BadRule as error:  # one that can't be read must not keep the others from their events
            log.error("dating_rule_bad", rule=str(rule.pk), error=str(error))
    return made


def events_apart(*, rule: RecurringRule, now: datetime) -> list[Event]:
    """Return the events of a rule that are not at its times any more, and stay where they are: people come.

    Raises:
        BadRule: the rule can't be understood.
    """
    return [event for event in _astray(rule, _due(rule, now), now) if _has_people(event)]


def _due(rule: RecurringRule, now: datetime) -> list[datetime]:
    """Return the rule's times that an event is to be there for, and for which people can still register."""
    after, until = _span(rule, now)
    return occurrences(
        rule.rrule,
        starts_on=rule.starts_on,
        at=rule.at,
        time_zone=rule.time_zone,
        after=after,
        until=until,
    )


def _span(rule: RecurringRule, now: datetime) -> tuple[datetime, datetime]:
    return now + timedelta(seconds=rule.close_before_s), now + timedelta(days=rule.days_ahead)


def _day(rule: RecurringRule, moment: datetime) -> date:
    return moment.astimezone(zone_of(rule.time_zone)).date()


def _astray(rule: RecurringRule, times: Sequence[datetime], now: datetime) -> list[Event]:
    """Return the rule's events at times that it does not have, but for those that somebody has moved."""
    after, until = _span(rule, now)
    if len(times) == AT_MOST:
        until = times[-1]
    of_rule = rule.events.filter(step__in=BEFORE_GROUPS, occurrence_at=F("starts_at"))
    ahead = of_rule.filter(occurrence_at__gt=after, occurrence_at__lte=until)
    return list(ahead.exclude(occurrence_at__in=times))


def _has_people(event: Event) -> bool:
    return event.registrations.filter(state__in=COMING).exists()


def _have_follow(rule: RecurringRule, times: Sequence[datetime], now: datetime) -> None:
    """Have events that nobody has registered for follow their rule, which was changed."""
    of_day = {_day(rule, at): at for at in times}
    for event in _astray(rule, times, now):
        try:
            _follow(rule, event, of_day.get(_day(rule, event.starts_at)), now)
        except (Conflict, ValidationError) as error:  # it begins, or would close at once: it stays
            log.warning("dating_event_stays", evening=str(event.pk), error=str(error))


@transaction.atomic
def _follow(rule: RecurringRule, event: Event, at: datetime | None, now: datetime) -> None:
    """Move an event to its day's new time; call it off where the rule does not have the day any more."""
    event = event_hold(event.pk)
    if _has_people(event):
        return
    if at is None:
        event_call_off(event_id=event.pk, now=now, reason=CALLED_OFF)
    else:
        Event.objects.filter(pk=event.pk).update(occurrence_at=at, time_zone=rule.time_zone)
        event_move(event=event, starts_at=at, title=event.title, now=now)


def _make_missing(rule: RecurringRule, times: Sequence[datetime]) -> int:
    """Make an event for each day of the rule that has none."""
    if not times:
        return 0
    near = {"occurrence_at__gte": times[0] - _A_DAY, "occurrence_at__lte": times[-1] + _A_DAY}
    there = {
        _day(rule, at) for at in rule.events.filter(**near).values_list("occurrence_at", flat=True) if at
    }
    return sum(_make(rule, at) for at in times if _day(rule, at) not in there)


def _make(rule: RecurringRule, starts_at: datetime) -> bool:
    names = [field.name for field in EventSettings._meta.get_fields()]
    try:
        with transaction.atomic():
            fields = {name: getattr(rule, name) for name in names}
            Event(rule=rule, occurrence_at=starts_at, starts_at=starts_at, **fields).save()
    except IntegrityError:  # somebody else has made it meanwhile
        return False
    return True
