"""How timelines say times and ways."""

from datetime import timedelta
from typing import Final

from django.utils.translation import gettext, gettext_lazy, pgettext

#: How somebody did something, by what acts are stored with (``ended_via``).
WAYS: Final = {
    "admin": gettext_lazy("in the admin"),
    "api": gettext_lazy("through the API"),
    "drill": gettext_lazy("at the end of the drill"),
    "intake": gettext_lazy("by its source"),
    "link": gettext_lazy("by the link in a message"),
    "phone": gettext_lazy("by a key on the phone"),
    "silence": gettext_lazy("by a silence"),
    "web": gettext_lazy("on its page"),
}


def way_of(via: str) -> str:
    if not via:
        return ""
    return str(WAYS[via]) if via in WAYS else gettext("via %(way)s") % {"way": via}


def clock_of(seconds: float) -> str:
    """Return a time since the start: +2:05, or +1:02:05."""
    whole = int(abs(seconds))
    hours, rest = divmod(whole, 3600)
    sign = "−" if seconds <= -1 else "+"
    minutes, rest = divmod(rest, 60)
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


def span_of(duration: timedelta) -> str:
    """Return a duration in its two largest units: 2 d 3 h, 4 min 5 s, 0 s."""
    seconds = max(int(duration.total_seconds()), 0)
    units = (
        (pgettext("days", "d"), 86_400),
        (pgettext("hours", "h"), 3_600),
        (pgettext("minutes", "min"), 60),
        (pgettext("seconds", "s"), 1),
    )
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        parts.append((count, name))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return (
        " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count)
        or f"0 {parts[-1][1]}"
    )
