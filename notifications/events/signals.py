"""What happens to accounts becomes events, in the transaction in which it happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import Encadrant, Student, User
from notifications.events import people
from notifications.events.outbox import event_publish

_told_elsewhere: ContextVar[bool] = ContextVar("told_elsewhere", default=False)


@contextmanager
def told_elsewhere() -> Iterator[None]:
    """Within this, what happens to users makes no events: it follows from one that another service made."""
    token = _told_elsewhere.set(True)
    try:
        yield
    finally:
        _told_elsewhere.reset(token)


@receiver(post_save, sender=User)
def user_publish(instance: User, created: bool, raw: bool, **kwargs: Any) -> None:
    """Publish that someone is new, or what of them has changed; a fixture that is loaded is no news."""
    if raw or _told_elsewhere.get():
        return
    if created:
        event_publish(routing_key=people.USER_CREATED, payload=people.created_user_payload(instance))
    elif instance.changed_fields:
        changes = {"changes": list(instance.changed_fields)}
        event_publish(routing_key=people.USER_UPDATED, payload=people.user_payload(instance) | changes)


@receiver(post_delete, sender=User)
def user_publish_deleted(instance: User, **kwargs: Any) -> None:
    if _told_elsewhere.get():
        return
    payload = {"user_id": str(instance.pk), "email": instance.email}
    event_publish(routing_key=people.USER_DELETED, payload=payload)


@receiver(post_save, sender=Student)
def student_publish(instance: Student, created: bool, raw: bool, **kwargs: Any) -> None:
    # A student has nothing of their own that could change: their user's changes come through its events.
    if created and not raw and not _told_elsewhere.get():
        event_publish(routing_key=people.STUDENT_CREATED, payload=people.student_payload(instance))


@receiver(post_save, sender=Encadrant)
def encadrant_publish(instance: Encadrant, created: bool, raw: bool, **kwargs: Any) -> None:
    if raw or _told_elsewhere.get():
        return
    payload = people.encadrant_payload(instance)
    if created:
        event_publish(routing_key=people.ENCADRANT_CREATED, payload=payload)
    elif instance.changed_fields:
        payload["changes"] = list(instance.changed_fields)
        event_publish(routing_key=people.ENCADRANT_UPDATED, payload=payload)
