"""Profiles follow their users: made, kept up to date and removed with them."""

import structlog

from accounts import services
from accounts.models import Encadrant, Student, User
from notifications.events import people
from notifications.events.outbox import event_publish
from notifications.events.registry import handles
from notifications.models import Delivery, Event, Inbox, InboxItem

log = structlog.get_logger(__name__)

# What a profile's events show of its user.
SHOWN = frozenset({"first_name", "last_name", "email"})


@handles(people.USER_CREATED)
def profile_make(event: Event) -> None:
    """Make the student's or encadrant's profile, which publishes its own event."""
    if user := _user_of(event):
        services.profile_ensure(user=user)


@handles(people.USER_UPDATED)
def profile_update(event: Event) -> None:
    """Make the profile that a new role asks for, and pass a new name or address on."""
    user, changes = _user_of(event), event.payload.get("changes", ())
    if user is None:
        return
    if "role" in changes:
        services.profile_ensure(user=user)
    if shown := [change for change in changes if change in SHOWN]:
        for student in Student.objects.filter(user=user).select_related("user"):
            payload = people.student_payload(student) | {"changes": shown}
            event_publish(routing_key=people.STUDENT_UPDATED, payload=payload)
        for encadrant in Encadrant.objects.filter(user=user).select_related("user"):
            payload = people.encadrant_payload(encadrant) | {"changes": shown}
            event_publish(routing_key=people.ENCADRANT_UPDATED, payload=payload)


@handles(people.USER_DELETED)
def profile_remove(event: Event) -> None:
    """Remove profile and inbox, where the user was deleted elsewhere: here they went with the user."""
    user_id = event.payload["user_id"]
    for profile in (Student, Encadrant):
        profile.objects.filter(user=user_id).delete()
    theirs = Delivery.objects.filter(user=user_id, channel="inbox").order_by()
    InboxItem.objects.filter(delivery__in=theirs.values("pk")).delete()
    Inbox.objects.filter(user=user_id).delete()


def _user_of(event: Event) -> User | None:
    user = User.objects.filter(pk=event.payload["user_id"]).first()
    if user is None:
        log.info("event_user_gone", event_id=str(event.pk), routing_key=event.routing_key)
    return user
