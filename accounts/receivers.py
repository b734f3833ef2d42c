"""What follows from saving an account, or logging in to one."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services.tokens import tokens_kill_all
from accounts.sessions import mark_begun
from config import clock


@receiver(post_save, sender=User)
def user_end_tokens(instance: User, created: bool, raw: bool, **kwargs: Any) -> None:
    """Whoever is locked out stays out: their tokens don't work again when they are let in again."""
    if not created and not raw and not instance.is_active and "is_active" in instance.changed_fields:
        tokens_kill_all(user=instance)


@receiver(user_logged_in)
def session_mark_begun(request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        mark_begun(request.session, now=clock.now())
