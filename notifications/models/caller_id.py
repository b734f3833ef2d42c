"""Which number phone calls show, by whom they go to."""

from typing import Final

from django.core.validators import RegexValidator
from django.db import models

from accounts.ids import UUIDv7Field

DEFAULT: Final = "default"
_PREFIX: Final = r"\+[0-9]{1,15}"
_NUMBER: Final = r"\+[1-9][0-9]{6,14}"
# Not phonenumbers' rules: an operator's own number may be newer than what that library knows.
validate_prefix = RegexValidator(
    rf"\A({DEFAULT}|{_PREFIX})\Z", f"Enter the beginning of phone numbers, such as +385, or “{DEFAULT}”."
)
validate_number = RegexValidator(rf"\A{_NUMBER}\Z", "Enter a phone number such as +3851111111.")


class CallerId(models.Model):
    """One line of the caller-id registry: of the prefixes that fit a number, the longest counts."""

    id = UUIDv7Field()
    prefix = models.CharField(
        max_length=16,
        unique=True,
        validators=[validate_prefix],
        help_text=f"Such as +385; “{DEFAULT}” is for numbers that no prefix fits.",
    )
    number = models.CharField(
        max_length=16,
        validators=[validate_number],
        help_text="The caller id, a number of the Twilio account.",
    )

    class Meta:
        ordering = ("prefix",)
        verbose_name = "caller id"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(prefix=DEFAULT) | models.Q(prefix__regex=rf"^{_PREFIX}$"),
                name="caller_id_prefix",
            ),
            models.CheckConstraint(
                condition=models.Q(number__regex=rf"^{_NUMBER}$"), name="caller_id_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}: {self.number}"
