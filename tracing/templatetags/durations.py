"""How long something lasted, as people say it."""

from django import template

register = template.Library()


@register.filter
def duration(seconds: int) -> str:
    """Return seconds in hours, minutes and seconds, without those that are none: 8759 is 2 h 25 min 59 s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
