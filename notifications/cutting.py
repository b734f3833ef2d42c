"""Links in texts: what is one; and where a text may be cut, since half a link leads nowhere."""

import re
from typing import Final
from urllib.parse import urlsplit

_LINK: Final = re.compile(r"https?://\S+")


def before_link(text: str, kept: int) -> str:
    """Return the first ``kept`` characters of a text, without the link that would be cut in two there."""
    for link in _LINK.finditer(text):
        if link.start() < kept < link.end():
            return text[: link.start()].rstrip()
    return text[:kept]


def is_http_url(url: str) -> bool:
    """Whether this is a link that a browser can open: http or https, with a host, in one line."""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
