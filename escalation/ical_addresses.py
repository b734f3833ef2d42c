"""Addresses of external calendars: which can be one, and how they are shown where they are secret."""

import hashlib
from typing import Final

from django.core.exceptions import ValidationError
from yarl import URL

from config.masking import MASK
from notifications.channels.transport import guard, http_url

# Calendar programs write it so (RFC 7595 lists it); it is HTTP all the same.
_WEBCAL: Final = "webcal://"
# Digits that tell two addresses at one host apart.
_DIGITS: Final = 8


def normalised(address: str) -> str:
    """Return an address in normal form, ``webcal://`` as ``https://``.

    Raises:
        ValidationError: it isn't https, or no public address.
    """
    address = address.strip()
    if address[: len(_WEBCAL)].lower() == _WEBCAL:
        address = "https://" + address[len(_WEBCAL) :]
    if MASK in address:
        raise ValidationError("Enter the whole address: this one is masked.")
    url = http_url.normalised(address)
    if url.scheme != "https":
        raise ValidationError("Enter a URL that starts with https://.")
    ip = http_url.literal_ip(url)
    if ip and not guard.is_allowed(ip):
        raise ValidationError(
            "Enter a URL with a public address: private and local networks are not reached."
        )
    return str(url)


def masked(url: str) -> str:
    """Return what may be shown to anybody: the host, and digits that change with the rest; "" for none.

    The rest is often a key to the calendar.
    """
    if not url:
        return ""
    digits = hashlib.sha256(url.encode()).hexdigest()[:_DIGITS]
    return f"https://{URL(url).host_port_subcomponent}/{MASK}{digits}"
