"""An account is deleted, by whatever way: whom to erase is noted, and nothing more is sent to them."""

from typing import Any

from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from accounts.models import User
from notifications import queue
from notifications.departures import abouts, jobs
from notifications.departures.words import Words
from notifications.engine import stop
from notifications.models import Delivery, Departure


@receiver(pre_delete, sender=User)
def person_note(instance: User, **kwargs: Any) -> None:
    """Note whom to look for, while all of it is there."""
    instance._departure = Words.of(instance).as_json() | {"about": abouts.of(instance)}  # type: ignore[attr-defined]


@receiver(post_delete, sender=User)
def person_leaves(instance: User, **kwargs: Any) -> None:
    """Stop what was to be sent to them; a job erases the rest, in slices, from the commit on."""
    stop.cancel_of(instance.pk, reason=Delivery.Reason.PERSON_LEFT)
    Departure.objects.create(pk=instance.pk, words=instance._departure)  # type: ignore[attr-defined]
    queue.enqueue_on_commit(jobs.DEPARTURES, jobs.departures_go_on, person=str(instance.pk))
