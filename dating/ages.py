"""How old people are, and how old they have to be to be matched with anybody."""

from datetime import date
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError

from config import clock

#: Nobody alive was born before: an earlier day is a mistake.
FIRST: Final = date(1900, 1, 1)


def age_on(day: date, birthday: date) -> int:
    return day.year - birthday.year - ((day.month, day.day) < (birthday.month, birthday.day))


def is_old_enough(birthday: date, *, on: date) -> bool:
    return age_on(on, birthday) >= settings.DATING_LEAST_AGE


def validate_birthday(birthday: date) -> None:
    """Raise ValidationError where a birthday is too early, yet to come, or too late for DATING_LEAST_AGE."""
    today = clock.now().date()
    if not FIRST <= birthday <= today:
        raise ValidationError(f"Enter a date of birth from {FIRST} to today.")
    if not is_old_enough(birthday, on=today):
        raise ValidationError(f"Participants must be at least {settings.DATING_LEAST_AGE} years old.")
