"""Refuses settings of escalations that can't be meant, before anything starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError

from escalation.policies.parsing import targets_of


@register("tocsin")
def last_resort_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    """The last resort of the installation is a list of targets: it is told when all else has failed."""
    try:
        targets_of(settings.LAST_RESORT)
    except ValidationError as error:
        return [Error(f"LAST_RESORT: {each}", id="escalation.E001") for each in error.messages]
    return []
