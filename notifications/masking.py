"""What is kept of an error: enough to find its cause, nothing that is a secret or an address."""

import re
import traceback
from typing import Final

MAX_LENGTH: Final = 500
# More of a text is not looked at: to find secrets takes the square of its length.
_LOOKED_AT: Final = 4 * MAX_LENGTH

_SECRETS: Final = (
    (re.compile(r"(\w+://)[^\s/@]*@"), r"\1…@"),  # the log-in within a URL
    (re.compile(r"(https?://[^\s?#]*)[?#]\S*"), r"\1?…"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "…@…"),
    (re.compile(r"\b(tsn_|whsec_|eyJ)[\w./+=-]+"), r"\1…"),
    (
        re.compile(
            r"(?i)\b(password|secret|token|authorization|api[-_]?key)\b(\W{1,4})(bearer |basic )?[^\s,;)}\]]+"
        ),
        r"\1\2…",
    ),
    (re.compile(r"\+\d[\d ().-]{6,}\d"), "+…"),  # a phone number
)


def description(error: BaseException) -> str:
    """Return an error's kind and first line, masked; the lines after it are details of the row."""
    text = str(error).strip().partition("\n")[0]
    if len(text) > _LOOKED_AT:  # cut between words, so that no secret loses what it is known by
        text = text[:_LOOKED_AT].rsplit(maxsplit=1)[0]
    text = mask(text)
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:MAX_LENGTH].replace("\x00", "�")


def mask(text: str) -> str:
    """Return a text with what looks like a secret or an address left out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def trail(error: BaseException) -> str:
    """Return where an error came from: files, lines and their source, and no values."""
    return "".join(traceback.format_tb(error.__traceback__)[-8:])
