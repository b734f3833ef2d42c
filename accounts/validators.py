"""Checks on what people say about themselves."""

from functools import cache
from zoneinfo import available_timezones

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from accounts.phones import EXTENSION, REFUSED, may_be_told


def normalised_phone(value: str) -> str:
    """Return a phone number in E.164 form (``+33612345678``).

    Raises:
        ValidationError: it is not a possible number in international form, or has an extension.
    """
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        raise ValidationError(
            gettext("Enter a phone number in international form, such as +33 6 12 34 56 78.")
        )
    if number.extension:
        raise ValidationError(EXTENSION)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def validate_phone(value: str) -> None:
    if not may_be_told(normalised_phone(value)):
        raise ValidationError(REFUSED)


def validate_time_zone(value: str) -> None:
    if value not in _time_zones():
        raise ValidationError(gettext("Enter an IANA time zone, such as Europe/Paris."))


@cache
def _time_zones() -> set[str]:
    # Kept, since they are the same as long as the process runs.
    return available_timezones()
