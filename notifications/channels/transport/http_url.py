"""HTTP addresses: what is one, its normal form, and the lane it belongs to."""

import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from yarl import URL

from notifications.channels.transport.domain import ascii_domain

MAX_LENGTH = 2048
_TOO_LONG = f"Enter a URL of at most {MAX_LENGTH} characters."
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# The last label of every spelling of an IPv4 address, such as 127.1, 0x7f.1 and 2130706433.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")


def normalised(address: str) -> URL:
    """Return an address as a URL in normal form.

    Scheme and host in lower case, the host in ASCII (IDNA), no default port, a path.

    Raises:
        ValidationError: it is none that a message can be posted to; says why.
    """
    if len(address) > MAX_LENGTH:
        raise ValidationError(_TOO_LONG)
    # Invisible characters and backslashes are read differently by different programs.
    if any(unicodedata.category(character)[0] in "CZ" or character == "\\" for character in address):
        raise ValidationError(gettext("Enter a URL without spaces, control characters and backslashes."))
    try:
        parts = urlsplit(address)
        url = URL(address)
        port = url.port
        # Where IDNA 2008 has no form for a name, yarl takes that of 2003.
        host = url.raw_host if (parts.hostname or "").isascii() else ascii_domain(parts.hostname or "")
    except ValueError:
        raise ValidationError(gettext("Enter a valid URL.")) from None
    if url.scheme not in {"http", "https"}:
        raise ValidationError(gettext("Enter a URL that starts with http:// or https://."))
    if not host:
        raise ValidationError(gettext("Enter a URL with a host."))
    if "@" in parts.netloc:
        raise ValidationError(gettext("Enter a URL without user name and password."))
    if "#" in address:
        raise ValidationError(gettext("Enter a URL without a fragment (#)."))
    if not port:
        raise ValidationError(gettext("Enter a URL with a port from 1 to 65535, or without one."))
    normal = URL.build(
        scheme=url.scheme,
        host=_checked_host(host),
        port=None if url.is_default_port() else port,
        path=url.raw_path or "/",
        query_string=url.raw_query_string,
        encoded=True,
    )
    if len(str(normal)) > MAX_LENGTH:
        raise ValidationError(_TOO_LONG)
    return normal


@lru_cache(maxsize=16_384)
def lane(address: str) -> str:
    """Return ``scheme://host:port`` in lower case, the port always written out."""
    url = URL(address)
    return f"{url.scheme}://{(url.host_subcomponent or '').lower()}:{url.port}"


def literal_ip(url: URL) -> str | None:
    """Return the host if it is an IP address, else None."""
    with suppress(ValueError):
        ip_address(host := url.raw_host or "")
        return host
    return None


def _checked_host(host: str) -> str:
    if ":" in host:
        if "%" in host:
            raise ValidationError(gettext("Enter a URL without an IPv6 zone."))
        return f"[{ip_address(host)}]"
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValidationError(gettext("Enter a URL with a valid host name."))
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        try:
            return str(ip_address(host))
        except ValueError:
            raise ValidationError(
                gettext("Enter an IP address in its usual form, such as 192.0.2.1.")
            ) from None
    return host
