"""Who sees what of dating, and what is due in it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from dating.models import Event, Reaction, Registration, Room
from dating.services.registrations import HOLDING


def deadlines_until(moment: datetime) -> Iterable[tuple[UUID, datetime]]:
    """Return the events that have a deadline up to a time, and the deadline."""
    due = Event.objects.filter(deadline_at__lte=moment, deadline_at__isnull=False, paused_at=None)
    return due.order_by("deadline_at").values_list("pk", "deadline_at")  # type: ignore[return-value]


def rooms_to_make(now: datetime) -> QuerySet[Room]:
    return Room.objects.filter(try_at__lte=now)


def calls_to_end(now: datetime) -> QuerySet[Room]:
    return Room.objects.filter(end_at__lte=now)


def events_with_counts() -> QuerySet[Event]:
    """All events (they are for everybody to see), with how many hold a place and how many wait for one."""
    return Event.objects.select_related("organiser").annotate(
        registered=Count("registrations", filter=Q(registrations__state__in=HOLDING)),
        waiting=Count("registrations", filter=Q(registrations__state=Registration.State.WAITING)),
    )


def runs(principal: Any, event: Event) -> bool:
    """Whether somebody runs an event: staff, machines that may, and its organiser."""
    if not isinstance(principal, User) or principal.is_staff:
        return True
    return event.organiser_id == principal.pk


def registrations_of(user: User) -> QuerySet[Registration]:
    return Registration.objects.filter(user=user).select_related("event").order_by("-event__starts_at", "-id")


def reactions_by(registration: Registration) -> QuerySet[Reaction]:
    """What somebody has said of others; what others said of them nobody but the staff sees."""
    return Reaction.objects.filter(by=registration).order_by("id")
