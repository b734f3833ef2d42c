"""Who sees what of dating, and what is due in it."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest

from accounts.models import User
from config import sql
from config.statements import named
from dating.evening.timeline import LIVE
from dating.models import DatingProfile, Event, Registration, Round, Step
from dating.services.places import WITH_PLACE
from dating.services.reminding import longest_pause


def deadlines_until(moment: datetime) -> list[datetime]:
    """Return when events have a step to take up to a time, earliest first."""
    return list(_due_until(moment).order_by("due_at").values_list("due_at", flat=True))


def _due_until(moment: datetime) -> QuerySet[Any]:
    """Return those whose deadline comes until then; after a failure the next try is meant."""
    events = Event.objects.filter(deadline_at__lte=moment, paused_at=None)
    return events.annotate(due_at=Greatest("deadline_at", "retry_at")).filter(due_at__lte=moment)


#: For how long, in seconds, the step has been due that has waited longest; 0 where none is.
OLDEST_OVERDUE: Final = """
SELECT coalesce(extract(epoch FROM %(now)s::timestamptz - min(deadline_at)), 0)::float8 FROM dating_event
 WHERE paused_at IS NULL AND deadline_at <= %(now)s::timestamptz
"""
named("dating.overdue", "Find for how long the oldest step has been due.", OLDEST_OVERDUE)


_ROOMS_DUE: Final = """
SELECT EXISTS (SELECT FROM dating_room WHERE try_at <= %(now)s),
       EXISTS (SELECT FROM dating_room WHERE look_at <= %(now)s),
       EXISTS (SELECT FROM dating_room WHERE end_at <= %(now)s)
"""
named("dating.rooms-due", "Ask whether rooms are to be made, looked into or ended.", _ROOMS_DUE)


class Due(NamedTuple):
    """An event for which there is something to do, whether it is on, and the people in its groups."""

    event_id: UUID
    is_live: bool
    people: int


def events_due(now: datetime) -> list[Due]:
    """Return events whose deadline has passed: those that are on come first, then whoever waits longest."""
    return _due(_due_until(now))


def events_without_next_links() -> list[Due]:
    """Return events in a round, of which the next one's links have not been prepared."""
    unprepared = Round.objects.filter(
        event=OuterRef("pk"), number=OuterRef("current_round") + 1, starts_at=None, dates__isnull=False
    )
    going_on = Event.objects.filter(step=Step.ROUND, paused_at=None, is_ending=False)
    return _due(going_on.filter(Exists(unprepared)))


def _due(events: QuerySet[Event]) -> list[Due]:
    people = Count("registrations", filter=Q(registrations__group__isnull=False))
    rows = events.annotate(is_live=Q(step__in=LIVE), people=people)
    return [
        Due._make(row)
        for row in rows.order_by("-is_live", "deadline_at", "pk").values_list("pk", "is_live", "people")
    ]


def pauses_are_over(now: datetime) -> bool:
    """Whether an event has been paused for as long as one may be."""
    return Event.objects.filter(paused_at__lte=now - longest_pause()).exists()


class RoomsDue(NamedTuple):
    """Whether there are rooms to be made, to be looked into, and calls in them to be ended."""

    to_make: bool
    to_poll: bool
    to_end: bool


def rooms_due(now: datetime) -> RoomsDue:
    """Ask for all three in one statement: it is asked every second."""
    return RoomsDue._make(sql.rows(_ROOMS_DUE, {"now": now})[0])


def events_with_counts() -> QuerySet[Event]:
    """All events (they are for everybody to see), with how many hold a place and how many wait for one."""
    return Event.objects.select_related("organiser").annotate(
        registered=Count("registrations", filter=Q(registrations__state__in=WITH_PLACE)),
        waiting=Count("registrations", filter=Q(registrations__state=Registration.State.WAITING)),
    )


def runs(principal: Any, event: Event) -> bool:
    """Whether somebody runs an event: staff, machines that may, and its organiser."""
    if not isinstance(principal, User) or principal.is_staff:
        return True
    return event.organiser_id == principal.pk


def takes_part(user: User) -> bool:
    """Whether somebody has said what they look for, or registered for an evening."""
    has_profile = Exists(DatingProfile.objects.filter(user=OuterRef("pk")))
    has_registered = Exists(Registration.objects.filter(user=OuterRef("pk")))
    return User.objects.filter(has_profile | has_registered, pk=user.pk).exists()


def registrations_of(user: User) -> QuerySet[Registration]:
    return Registration.objects.filter(user=user).select_related("event").order_by("-event__starts_at", "-id")
