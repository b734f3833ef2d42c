"""Logging in to the admin."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts import rate_limits
from config.rest.exceptions import TooMany


class AdminLogIn(AuthenticationForm):
    """Held to the same limits as the API's log-in, and counted together with it."""

    def clean(self) -> dict[str, Any]:
        email, password = (self.cleaned_data.get(name) for name in ("username", "password"))
        if not email or not password:
            return self.cleaned_data
        account, address = rate_limits.account_of(email), rate_limits.address_of(self.request.META)
        try:
            with rate_limits.log_in_counted(ValidationError, account=account, address=address):
                cleaned: dict[str, Any] = super().clean()
        except TooMany as error:
            raise ValidationError(str(error), code="throttled")
        return cleaned
