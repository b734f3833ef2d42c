"""The meeting providers there are, by name."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Final, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from dating.meetings.base import Provider

#: By path: Google's client is an optional extra, and takes long to import.
PROVIDERS: Final = {
    "jitsi": "dating.meetings.jitsi.Jitsi",
    "google_meet": "dating.meetings.google_meet.GoogleMeet",
}
LABELS: Final = {"jitsi": "Jitsi Meet", "google_meet": "Google Meet"}


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
            'pip install "tocsin[meet]", or choose another provider.'
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
