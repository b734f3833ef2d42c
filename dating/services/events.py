"""Events come into being: by somebody's hand, or by a recurring rule."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext

from config.recurrence import AT_MOST, BadRule, occurrences
from config.zones import zone_of
from dating.models import Event, RecurringRule
from dating.models.event import BY_HAND, EventSettings
from dating.services.advance import event_call_off
from dating.services.closing import CALLED_OFF
from dating.services.locking import event_lock
from dating.services.moving import deadline_follow
from dating.services.places import BEFORE_GROUPS, COMING

log = structlog.get_logger(__name__)

_A_DAY: Final = timedelta(days=1)


def event_create(*, now: datetime, **fields: Any) -> Event:
    """Make an event. ValidationError, by field: registration would be closed, or a value is out of range."""
    event = Event(**fields)
    event.full_clean(exclude=["number", "deadline_at"])
    if event.close_at <= now:
        raise ValidationError(
            {
                "starts_at": gettext(
                    "Registration would already be closed: choose a later start, or a later closing."
                )
            }
        )
    event.save()
    return event


def events_recur(*, now: datetime) -> int:
    """Make the events that recurring rules are due to have; returns how many. Again: none.

    Where a rule has been changed, those of its events that nobody has registered for follow it; where it is
    switched off, they are called off. A rule that fails does not keep the others from their events.
    """
    made = 0
    for rule in RecurringRule.objects.all():
        try:
            if rule.is_active:
                times = _due(rule, now)
                _have_follow(rule, times, now)
                made += sum(_make(rule, at) for at in _missing(rule, times))
            else:
                events_call_off(rule=rule, now=now)
        except BadRule as error:
            log.error("dating_rule_bad", rule=str(rule.pk), error=str(error))
        except Exception:
            log.exception("dating_rule_failed", rule=str(rule.pk))
    return made


def events_call_off(*, rule: RecurringRule, now: datetime) -> None:
    """Call off the events of a rule that is no more, but for those that people come to, or somebody moved."""
    for event in _ahead(rule, now):
        _follow(rule, event, None, now)


def events_apart(*, rule: RecurringRule, now: datetime) -> list[Event]:
    """Return the events of a rule that are not as it says any more, and stay as they are: people come.

    Raises:
        BadRule: the rule can't be understood.
    """
    astray = _astray(rule, _due(rule, now), now) if rule.is_active else _ahead(rule, now)
    return [event for event in astray if _has_people(event)]


def _due(rule: RecurringRule, now: datetime) -> list[datetime]:
    """Return the rule's times that an event is to be there for, and for which people can still register."""
    after, until = _span(rule, now)
    return occurrences(
        rule.rrule, starts_on=rule.starts_on, at=rule.at, time_zone=rule.time_zone, after=after, until=until
    )


def _span(rule: RecurringRule, now: datetime) -> tuple[datetime, datetime]:
    return now + timedelta(seconds=rule.close_before_s), now + timedelta(days=rule.days_ahead)


def _day(rule: RecurringRule, moment: datetime) -> date:
    return moment.astimezone(zone_of(rule.time_zone)).date()


def _ahead(rule: RecurringRule, now: datetime) -> QuerySet[Event]:
    """Return the rule's events that people can still register for, but for those that somebody has moved."""
    after, _ = _span(rule, now)
    of_rule = rule.events.filter(step__in=BEFORE_GROUPS, occurrence_at=F("starts_at"))
    return of_rule.filter(occurrence_at__gt=after)


def _astray(rule: RecurringRule, times: Sequence[datetime], now: datetime) -> list[Event]:
    """Return the rule's events that are not at its times, or not as it has them."""
    _, until = _span(rule, now)
    if len(times) == AT_MOST:
        until = times[-1]
    ahead = _ahead(rule, now).filter(occurrence_at__lte=until)
    wanted = set(times)
    return [event for event in ahead if event.occurrence_at not in wanted or _changes(rule, event)]


def _settings(of: EventSettings) -> dict[str, Any]:
    """Return what is decided about events, as JSON has it."""
    decided = {field.attname: getattr(of, field.attname) for field in EventSettings._meta.fields}
    organiser = decided["organiser_id"]
    return decided | {"organiser_id": str(organiser) if organiser else None}


def _changes(rule: RecurringRule, event: Event) -> list[str]:
    """Return what the rule has changed since the event followed it, but for what was set by hand.

    Of events of a version that did not note it, it is what nobody can have set by hand.
    """
    says, has = _settings(rule), _settings(event)
    said = event.rule_settings
    if said is None:
        said = {name: value for name, value in has.items() if name not in BY_HAND}
    if has["organiser_id"] is None:  # whoever it was may have deleted their account
        said = said | {"organiser_id": None}
    return [name for name in says if says[name] != has[name] and name in said and said[name] == has[name]]


def _has_people(event: Event) -> bool:
    return event.registrations.filter(state__in=COMING).exists()


def _have_follow(rule: RecurringRule, times: Sequence[datetime], now: datetime) -> None:
    """Have events that nobody has registered for follow their rule, which was changed."""
    of_day = {_day(rule, at): at for at in times}
    for event in _astray(rule, times, now):
        at = event.starts_at if event.starts_at in times else of_day.get(_day(rule, event.starts_at))
        try:
            _follow(rule, event, at, now)
        except ValidationError as error:  # its registration would close at once: it stays
            log.warning("dating_event_stays", evening=str(event.pk), error=str(error))


@transaction.atomic
def _follow(rule: RecurringRule, event: Event, at: datetime | None, now: datetime) -> None:
    """Have an event be as its rule says, at its day's new time.

    It is called off where the rule does not have the day any more, or has another event for it.
    """
    event = event_lock(event.pk)
    if event.step not in BEFORE_GROUPS or _has_people(event):
        return
    if at is None or rule.events.filter(occurrence_at=at).exclude(pk=event.pk).exists():
        if event_call_off(event_id=event.pk, now=now, reason=CALLED_OFF):
            # Not the rule's any more: should it have that day again, it makes another.
            Event.objects.filter(pk=event.pk).update(rule=None, occurrence_at=None)
        return
    for name in _changes(rule, event):
        setattr(event, name, getattr(rule, name))
    event.starts_at = event.occurrence_at = at
    event.version += 1
    event.rule_settings = _settings(rule)
    deadline_follow(event, now)
    event.save()


def _missing(rule: RecurringRule, times: Sequence[datetime]) -> list[datetime]:
    """Return the times on days that the rule has no event for."""
    if not times:
        return []
    near = rule.events.filter(occurrence_at__range=(times[0] - _A_DAY, times[-1] + _A_DAY))
    there = {_day(rule, at) for at in near.values_list("occurrence_at", flat=True) if at}
    return [at for at in times if _day(rule, at) not in there]


def _make(rule: RecurringRule, starts_at: datetime) -> bool:
    says = _settings(rule)
    try:
        with transaction.atomic():
            event = Event(rule=rule, rule_settings=says, occurrence_at=starts_at, starts_at=starts_at)
            for name in says:
                setattr(event, name, getattr(rule, name))
            event.save()
    except IntegrityError:  # somebody else has made it meanwhile
        return False
    return True
