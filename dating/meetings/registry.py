"""The meeting providers there are, by name."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Final, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from dating.meetings.base import Provider

#: By path: Google's client is an optional extra, and takes long to import.
PROVIDERS: Final = {
    "built_in": "dating.meetings.built_in.BuiltInRoom",
    "jitsi": "dating.meetings.jitsi.Jitsi",
    "google_meet": "dating.meetings.google_meet.GoogleMeet",
}
LABELS: Final = {"built_in": "Built-in room", "jitsi": "Jitsi Meet", "google_meet": "Google Meet"}
#: Needs nobody's account and no setting; takes the place of every other that is not there.
DEFAULT: Final = "built_in"
#: What each other needs, in words for whoever chose it.
NEEDS: Final = {
    "jitsi": "JITSI_BASE_URL must be the address of a Jitsi Meet of your own",
    "google_meet": "GOOGLE_MEET_TOKEN_FILE must be set, and the package google-apps-meet installed",
}


class HasProvider(Protocol):
    """An event, as far as it matters here: the name of its provider."""

    @property
    def provider(self) -> str: ...


def provider_of(event: HasProvider) -> Provider:
    """Return the provider of an event's rooms.

    Raises:
        ImproperlyConfigured: its package is not installed.
        KeyError: there is none of that name.
    """
    return provider(event.provider)


def provider(name: str) -> Provider:
    """Return a provider by its name; its connections are kept. Raises as `provider_of`."""
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


def is_offered(name: str) -> bool:
    """Whether an event may use it: it exists, its package is there, and it is configured."""
    try:
        return provider(name).is_configured
    except (KeyError, ImproperlyConfigured):
        return False


def offered() -> list[str]:
    """Return the names of those that events may use."""
    return [name for name in PROVIDERS if is_offered(name)]


def asks_nobody(name: str) -> bool:
    """Whether a provider makes rooms by itself: it neither fails nor hangs."""
    try:
        return provider(name).is_local
    except (KeyError, ImproperlyConfigured):
        return False


def ends_calls(name: str) -> bool:
    """Whether calls in a provider's rooms are ended by asking it; so is one that can't be told of now."""
    try:
        return provider(name).ends_calls
    except (KeyError, ImproperlyConfigured):
        return True


def knows_participants(name: str) -> bool:
    """Whether a provider can be asked who is in a call."""
    try:
        return provider(name).knows_participants
    except (KeyError, ImproperlyConfigured):
        return False
