"""What people say of themselves and of whom they seek."""

from datetime import date
from typing import Any

from accounts.models import User
from dating.models import DatingProfile


def profile_set(*, user: User, birthday: date | None, city: str, seeks: str) -> DatingProfile:
    """Store somebody's profile, but for the score that organisers give; ValidationError by field."""
    said: dict[str, Any] = {"birthday": birthday, "city": city, "seeks": seeks}
    DatingProfile(user=user, **said).full_clean(validate_unique=False, validate_constraints=False)
    return DatingProfile.objects.update_or_create(user=user, defaults=said)[0]
