"""Routing keys and the patterns that match them, as in AMQP's topic exchanges: words with dots between."""

import re
from typing import Final

MAX_LENGTH: Final = 255
_WORD: Final = r"[A-Za-z0-9_-]+"
_KEY: Final = re.compile(rf"{_WORD}(\.{_WORD})*")
_PATTERN: Final = re.compile(rf"(\*|\#|{_WORD})(\.(\*|\#|{_WORD}))*")

KEY_MESSAGE: Final = "Expected words of letters, digits, _ and - with dots between, such as stage.accepted."
PATTERN_MESSAGE: Final = "Expected words with dots between; * stands for one word, # for any number of them."


def is_routing_key(text: str) -> bool:
    return len(text) <= MAX_LENGTH and _KEY.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    return len(text) <= MAX_LENGTH and _PATTERN.fullmatch(text) is not None


def matches(pattern: str, routing_key: str) -> bool:
    """Say whether a routing key is one of a pattern's: ``*`` is one word, ``#`` zero or more.

    The rules are those of AMQP 0-9-1, 3.1.3.3. Takes time by the product of the two lengths, whatever
    the pattern.
    """
    words = routing_key.split(".") if routing_key else []
    # How many of the words the pattern may have used up so far.
    used = {0}
    for part in pattern.split(".") if pattern else []:
        if part == "#":
            used = set(range(min(used), len(words) + 1))
        else:
            used = {n + 1 for n in used if n < len(words) and part in ("*", words[n])}
        if not used:
            return False
    return len(words) in used


def as_regex(pattern: str) -> str:
    """Return the regular expression that matches the same routing keys, in PostgreSQL as in Python."""
    # A word follows the beginning or a dot.
    before = r"(^|\.)"
    parts = {"*": rf"{before}[^.]+", "#": rf"({before}[^.]+)*"}
    return "^" + "".join(parts.get(part) or before + re.escape(part) for part in pattern.split(".")) + "$"
