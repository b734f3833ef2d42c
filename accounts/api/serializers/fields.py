"""Fields that several of the bodies share."""

from typing import Any, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.rate_limits import account_of
from accounts.validators import normalised_phone
from accounts.verification import CODE_DIGITS
from config.rest.fields import StrictCharField

PASSWORD_MAX: Final = 256


@extend_schema_field({"type": "string", "format": "email", "maxLength": 254})
class EmailAddressField(StrictCharField):
    """An email address, in lower case from here on."""

    default_error_messages = {"not_email": "Expected an email address, such as ana@example.com."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=254, **options)

    def to_internal_value(self, data: Any) -> str:
        email = super().to_internal_value(data)
        # Asked before it is put into lower case, which makes an ordinary k of the Kelvin sign. Between quotes
        # an address may hold what steers a terminal.
        if not (email.isascii() and email.isprintable()):
            self.fail("not_email")
        try:
            validate_email(email)
        except DjangoValidationError:
            self.fail("not_email")
        return account_of(email)


class PasswordField(StrictCharField):
    """A password, as it was typed: spaces count."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=PASSWORD_MAX, trim_whitespace=False, write_only=True, **options)


class PhoneField(StrictCharField):
    """A phone number, in its international form from here on; empty for none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=32, allow_blank=True, **options)

    def to_internal_value(self, data: Any) -> str:
        phone = super().to_internal_value(data)
        try:
            return normalised_phone(phone) if phone else ""
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages)


@extend_schema_field({"type": "string", "pattern": f"^[0-9]{{{CODE_DIGITS}}}$"})
class CodeField(StrictCharField):
    """The digits of a code."""

    default_error_messages = {"not_code": f"Expected {CODE_DIGITS} digits, as they were sent."}

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
            self.fail("not_code")
        return code
