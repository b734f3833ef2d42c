"""How long something lasted, as people say it."""

from django import template
from django.utils.translation import gettext

register = template.Library()


@register.filter
def duration(seconds: int) -> str:
    """Return seconds in hours, minutes and seconds, without those that are none: 8759 is 2 h 25 min 59 s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = (
        (hours, gettext("%(number)d h")),
        (minutes, gettext("%(number)d min")),
        (rest, gettext("%(number)d s")),
    )
    said = [text % {"number": number} for number, text in parts if number]
    return " ".join(said) or gettext("%(number)d s") % {"number": 0}
