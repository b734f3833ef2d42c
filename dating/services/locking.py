"""Whoever changes an event's plan or people holds its row: they take turns, as do the steps of its life."""

from uuid import UUID

from dating.models import Event, Registration


def event_hold(event_id: UUID) -> Event:
    """Lock an event until the end of the transaction, and return it as it is now."""
    return Event.objects.select_for_update().get(pk=event_id)


def event_hold_if_free(event_id: UUID) -> Event | None:
    """The same, or None where somebody else holds it: they are at it already."""
    return Event.objects.select_for_update(skip_locked=True).filter(pk=event_id).first()


def registration_hold(event: Event, user_id: UUID) -> Registration | None:
    """Return somebody's part in an event that is held."""
    return event.registrations.select_for_update(of=("self",)).filter(user=user_id).first()
