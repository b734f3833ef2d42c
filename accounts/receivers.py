"""What follows from logging in to an account."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.sessions import mark_begun
from config import clock


@receiver(user_logged_in)
def session_mark_begun(request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        mark_begun(request.session, now=clock.now())
