"""Whoever changes an event's plan or people locks its row: they take turns, as do the steps of its life."""

from uuid import UUID

from django.db.models import QuerySet

from dating.models import Event, Registration


def event_lock(event_id: UUID) -> Event:
    """Lock an event until the end of the transaction, and return it as it is now."""
    return Event.objects.select_for_update().get(pk=event_id)


def events_lock(events: QuerySet[Event], *, wait: bool) -> list[Event]:
    """The same of many; those that somebody else has locked are waited for, or passed over.

    They are locked in the order of their ids, so that two that wait for each other's can't deadlock.
    """
    return list(events.order_by("pk").select_for_update(skip_locked=not wait))


def registration_lock(event: Event, user_id: UUID) -> Registration | None:
    """Return somebody's part in an event that is locked."""
    return event.registrations.select_for_update(of=("self",)).filter(user=user_id).first()
