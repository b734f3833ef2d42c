"""Events come into being: by somebody's hand, or by a recurring rule."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from dating.models import Event, RecurringRule
from dating.models.event import EventSettings
from dating.recurrence import BadRule, occurrences

log = structlog.get_logger(__name__)


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
    """Make the events that recurring rules are due to have; returns how many. Again: none."""
    made = 0
    for rule in RecurringRule.objects.filter(is_active=True):
        try:
            made += sum(_event_of(rule, at) for at in _due(rule, now))
        except BadRule as error:  # one that can't be read must not keep the others from their events
            log.error("dating_rule_bad", rule=str(rule.pk), error=str(error))
    return made


def _due(rule: RecurringRule, now: datetime) -> list[datetime]:
    """Return the rule's times that an event is to be there for, and for which people can still register."""
    return occurrences(
        rule.rrule,
        starts_on=rule.starts_on,
        at=rule.at,
        time_zone=rule.time_zone,
        after=now + timedelta(seconds=rule.close_before_s),
        until=now + timedelta(days=rule.days_ahead),
    )


def _event_of(rule: RecurringRule, starts_at: datetime) -> bool:
    if rule.events.filter(occurrence_at=starts_at).exists():
        return False
    names = [field.name for field in EventSettings._meta.get_fields()]
    try:
        with transaction.atomic():
            fields = {name: getattr(rule, name) for name in names}
            Event(rule=rule, occurrence_at=starts_at, starts_at=starts_at, **fields).save()
    except IntegrityError:  # somebody else has made it meanwhile
        return False
    return True
