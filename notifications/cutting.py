"""Where a text may be cut for want of room: before a link or after it, since half a link leads nowhere."""

import re
from typing import Final

_LINK: Final = re.compile(r"https?://\S+")


def before_link(text: str, kept: int) -> str:
    """Return the first ``kept`` characters of a text, without the link that would be cut in two there."""
    for link in _LINK.finditer(text):
        if link.start() < kept < link.end():
            return text[: link.start()].rstrip()
    return text[:kept]
