"""The meeting providers there are, by name."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy

from dating.meetings.base import Provider

#: By path: Google's client is an optional extra, and takes long to import.
PROVIDERS: Final = {
    "built_in": "dating.meetings.built_in.BuiltInRoom",
    "jitsi": "dating.meetings.jitsi.Jitsi",
    "google_meet": "dating.meetings.google_meet.GoogleMeet",
}
LABELS: Final = {
    "built_in": gettext_lazy("Built-in room"),
    "jitsi": "Jitsi Meet",
    "google_meet": "Google Meet",
}
#: Needs nobody's account and no setting; takes the place of every other that is not there.
DEFAULT: Final = "built_in"
#: What each other needs, in words for whoever chose it.
NEEDS: Final = {
    "jitsi": "JITSI_BASE_URL must be the address of a Jitsi Meet of your own",
    "google_meet": "GOOGLE_MEET_TOKEN_FILE must be set, and the package google-apps-meet installed",
}


def provider(name: str) -> Provider:
    """Return a provider by its name; its connections are kept.

    Raises:
        ImproperlyConfigured: its package is not installed.
        KeyError: there is none of that name.
    """
    try:
        kind: type[Provider] = import_string(PROVIDERS[name])
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"{LABELS[name]} needs a package that is not installed ({error.name}): "
            "pip install google-apps-meet, or choose another provider."
        ) from None
    return _made(kind, kind.configuration())


@lru_cache(maxsize=8)
def _made(kind: type[Provider], configuration: Hashable) -> Provider:
    return kind()


def _says(name: str, trait: str, *, otherwise: bool) -> bool:
    try:
        return bool(getattr(provider(name), trait))
    except (KeyError, ImproperlyConfigured):
        return otherwise


def is_offered(name: str) -> bool:
    """Whether an event may use it: it exists, its package is there, and it is configured."""
    return _says(name, "is_configured", otherwise=False)


def offered() -> list[str]:
    """Return the names of those that events may use."""
    return [name for name in PROVIDERS if is_offered(name)]


def asks_nobody(name: str) -> bool:
    """Whether a provider makes rooms by itself: it neither fails nor hangs."""
    return _says(name, "is_local", otherwise=False)


def ends_calls(name: str) -> bool:
    """Whether calls in a provider's rooms are ended by asking it; so is one that can't be told of now."""
    return _says(name, "ends_calls", otherwise=True)


def knows_participants(name: str) -> bool:
    """Whether a provider can be asked who is in a call."""
    return _says(name, "knows_participants", otherwise=False)
