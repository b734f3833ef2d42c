"""Open streams hear at once that somebody logs out, is locked out or sets another password.

Only so that they end without delay: a stream that is told something is asked first whether it may be.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import EndedLogIn, User
from notifications.inbox import live

_ENDING: Final = frozenset({"password", "is_active"})


@receiver(post_save, sender=User)
def user_saved(instance: User, created: bool, update_fields: Iterable[str] | None, **kwargs: Any) -> None:
    if not created and (update_fields is None or _ENDING.intersection(update_fields)):
        live.announce_on_commit(instance.pk)


@receiver(post_delete, sender=User)
def user_deleted(instance: User, **kwargs: Any) -> None:
    live.announce_on_commit(instance.pk)


@receiver(post_delete, sender=Session)
def session_deleted(instance: Session, **kwargs: Any) -> None:
    if user_id := instance.get_decoded().get(SESSION_KEY):
        live.announce_on_commit(UUID(user_id))


@receiver(post_save, sender=EndedLogIn)
def log_in_ended(instance: EndedLogIn, **kwargs: Any) -> None:
    live.announce_on_commit(instance.user_id)
