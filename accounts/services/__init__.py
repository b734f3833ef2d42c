"""What is done to accounts."""

from accounts.services.api_keys import api_key_create
from accounts.services.profiles import profile_adopt, profile_ensure
from accounts.services.registration import user_register

__all__ = ["api_key_create", "profile_adopt", "profile_ensure", "user_register"]
