"""Logging in to the admin."""

import math
from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts import attempts
from config import clock


class AdminLogIn(AuthenticationForm):
    """Held to the same limits as the API's log-in, and counted together with it."""

    def clean(self) -> dict[str, Any]:
        account = attempts.account_of(self.cleaned_data.get("username") or "")
        address = attempts.address_of(self.request.META)
        wait = attempts.log_in_take(account=account, address=address, now=clock.now())
        if wait is not None:
            seconds = math.ceil(wait.total_seconds())
            raise ValidationError(f"Too many attempts. Try again in {seconds} seconds.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        # Without a password the form is not valid either, but comes this far.
        if self.get_user() is not None:
            attempts.address_remember(account=account, address=address)
        return cleaned
