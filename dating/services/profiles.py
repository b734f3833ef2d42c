"""What people say of themselves and of whom they seek."""

from datetime import date

from accounts.models import User
from dating.models import DatingProfile


def profile_set(*, user: User, birthday: date | None, city: str, seeks: str) -> DatingProfile:
    """Store somebody's profile; the score that organisers give stays as it is.

    Raises:
        ValidationError: by field.
    """
    profile = DatingProfile.objects.filter(user=user).first() or DatingProfile(user=user)
    profile.birthday, profile.city, profile.seeks = birthday, city, seeks
    profile.full_clean()
    profile.save()
    return profile
