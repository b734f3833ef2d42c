"""How much a person wants to be told."""

from accounts.models import User
from notifications.models import Preference


def preference_set(*, user: User, level: str) -> Preference:
    """Set a person's level; the same again changes nothing but ``updated_at``."""
    preference, _ = Preference.objects.update_or_create(user=user, defaults={"level": level})
    return preference
