"""Which phone numbers may be called or texted at the operator's cost."""

from typing import Final

import phonenumbers
from django.conf import settings
from phonenumbers import PhoneNumberType

REFUSED: Final = "This server doesn't call or text numbers of this kind. Give another one."
EXTENSION: Final = "Extensions can't be dialled. Give a number that rings the person directly."

#: Satellite and other networks that belong to no country; their calls cost several euros a minute.
_NO_COUNTRY: Final = phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
#: Kinds by which somebody earns from each call.
_COSTLY: Final = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
    }
)


def may_be_told(number: str) -> bool:
    """Whether a number in E.164 form may be called and texted, by PHONE_PREFIXES and by its kind.

    The kind is that of the library's tables, which are as new as its version. A prefix that says more than
    a country allows whatever begins with it.
    """
    parsed = phonenumbers.parse(number, None)
    country = f"+{parsed.country_code}"
    prefixes = [prefix for prefix in settings.PHONE_PREFIXES if number.startswith(prefix)]
    if settings.PHONE_PREFIXES and not prefixes:
        return False
    if phonenumbers.region_code_for_country_code(parsed.country_code or 0) == _NO_COUNTRY:
        return bool(prefixes)
    return any(len(prefix) > len(country) for prefix in prefixes) or (
        phonenumbers.number_type(parsed) not in _COSTLY
    )
