"""What every intake format becomes: an occurrence, within the bounds that the database and the texts have.

Senders are strangers: whatever they send is cut, cleaned or left out here, and never raises but `Malformed`.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from notifications.cutting import before_link, is_http_url

KEY_MAX_LENGTH: Final = 255
TITLE_MAX_LENGTH: Final = 200
DETAILS_MAX_LENGTH: Final = 4_000
BY_MAX_LENGTH: Final = 100
LINK_MAX_LENGTH: Final = 2_048
MAX_LABELS: Final = 64
LABEL_NAME_MAX_LENGTH: Final = 100
LABEL_VALUE_MAX_LENGTH: Final = 500
#: The most occurrences that one body may hold.
MAX_OCCURRENCES: Final = 1_000
#: 2100-01-01T00:00:00Z: a later time is a mistake.
TIME_END: Final = datetime(2100, 1, 1, tzinfo=UTC)
_TIME_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: A larger number counts milliseconds: as seconds it would be beyond the year 5000.
_SECONDS_END: Final = 100_000_000_000

CRITICAL: Final = "critical"
STANDARD: Final = "standard"
#: What monitoring systems call their severities, in lower case.
SEVERITIES: Final[Mapping[str, str]] = {
    **dict.fromkeys((
        "critical", "crit", "page", "pager", "error", "err", "fatal", "emergency", "emerg", "alert",
        "disaster", "high", "major", "severe", "urgent", "p1", "p2", "sev1", "sev2",
    ), CRITICAL),
    **dict.fromkeys((
        "standard", "warning", "warn", "average", "medium", "moderate", "minor", "low", "notice", "info",
        "information", "informational", "debug", "none", "not classified", "p3", "p4", "p5", "sev3",
        "sev4", "sev5",
    ), STANDARD),
}  # fmt: skip
#: How systems say that something is over, or that somebody has it; any other word says that it is not.
RESOLVED: Final = frozenset((
    "resolved", "resolve", "ok", "up", "recovered", "recovery", "closed", "close", "cleared", "clear",
    "healthy", "normal", "fixed", "ended", "succeeded", "success",
))  # fmt: skip
ACKNOWLEDGED: Final = frozenset(("acknowledged", "acknowledge", "acked", "ack"))

# Control characters, and those that turn the direction of what follows; PostgreSQL stores no NUL and no half
# of a surrogate pair.
_UNWANTED: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_NOT_IN_LINES: Final = re.compile(rf"[\s{_UNWANTED}]+")
_NOT_IN_TEXT: Final = re.compile(rf"[{_UNWANTED}]")
_UNIX: Final = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")


class Malformed(ValueError):
    """What is wrong with a body, in words for whoever sent it."""


class Act(StrEnum):
    """What an occurrence says: it began, somebody has it, it is over; or there is only more to read."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that a source reports; make it by `occurrence_of`, which keeps the bounds."""

    #: Names its group within the integration: 1 to 255 printable characters.
    key: str
    act: Act = Act.TRIGGER
    #: One line of at most 200 characters.
    title: str = ""
    #: Plain text of at most 4,000 characters.
    details: str = ""
    #: "critical", "standard", or "": the integration's default.
    severity: str = ""
    #: What routes match by: at most 64, each a line; names of at most 100, values of at most 500 characters.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: http or https, or "".
    link: str = ""
    #: When it began, by the source.
    at: datetime | None = None
    #: Whoever acknowledged or closed it, by the source.
    by: str = ""


def occurrence_of(
    *,
    key: object,
    act: Act = Act.TRIGGER,
    title: object = "",
    details: object = "",
    severity: object = "",
    labels: object = None,
    link: object = "",
    at: object = None,
    by: object = "",
) -> Occurrence:
    """Return an occurrence of whatever JSON values a body has for it, within the bounds.

    Raises:
        Malformed: it has no key.
    """
    return Occurrence(
        key=key_of(key),
        act=act,
        title=line_of(title, TITLE_MAX_LENGTH),
        details=details_of(details),
        severity=severity_of(severity),
        labels=labels_of(labels),
        link=link_of(link),
        at=time_of(at),
        by=line_of(by, BY_MAX_LENGTH),
    )


def act_of(
    state: str,
    resolved: frozenset[str] = RESOLVED,
    acknowledged: frozenset[str] = ACKNOWLEDGED,
    noted: frozenset[str] = frozenset(),
) -> Act:
    """Return what a word says in which a system names its state, in lower case."""
    if state in resolved:
        return Act.RESOLVE
    if state in acknowledged:
        return Act.ACKNOWLEDGE
    return Act.NOTE if state in noted else Act.TRIGGER


def key_of(value: object) -> str:
    """Return a key as it may be stored: itself, or its hash if it is too long or not all printable.

    Raises:
        Malformed: it is empty, or neither a string nor a number.
    """
    text = plain(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not text.strip():
        raise Malformed("The key that tells alerts apart is missing or empty.")
    if len(text) <= KEY_MAX_LENGTH and text.isprintable():
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def key_made_of(value: object) -> str:
    """Return 32 hexadecimal digits for what brings no key: equal JSON values have the same.

    So a request that is repeated because its answer was lost still makes one group.

    Raises:
        Malformed: it is nested too deeply.
    """
    try:
        text = json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError):
        raise Malformed("The body is nested too deeply.") from None
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def line_of(value: object, most: int) -> str:
    """Return a value as one clean line of at most ``most`` characters."""
    # Most values are one already.
    if isinstance(value, str) and len(value) <= most and value.isprintable():
        return value.strip()
    # Cut before and after, so that megabytes aren't cleaned for one line.
    text = plain(value)[: most * 4]
    if not text.isprintable():
        text = _NOT_IN_LINES.sub(" ", text)
    return text.strip()[:most].rstrip()


def details_of(value: object) -> str:
    """Return a value as clean text; an object as a line for each of its members that isn't empty."""
    if isinstance(value, Mapping):
        value = "\n".join(f"{name}: {text}" for name, each in value.items() if (text := plain(each)))
    text = plain(value).replace("\r\n", "\n")[: DETAILS_MAX_LENGTH * 2]
    text = _NOT_IN_TEXT.sub("", text).strip()[: DETAILS_MAX_LENGTH + 1]
    return before_link(text, DETAILS_MAX_LENGTH).rstrip()


def severity_of(value: object) -> str:
    """Return "critical" or "standard" for a word that monitoring systems use; "" for any other."""
    return SEVERITIES.get(value.strip().lower(), "") if isinstance(value, str) and len(value) < 40 else ""


def labels_of(value: object) -> dict[str, str]:
    """Return the first 64 members of an object that are strings, numbers, true or false, and not blank."""
    labels: dict[str, str] = {}
    for given, each in mapping_of(value).items():
        if not isinstance(each, str | int | float):
            continue
        name, text = line_of(given, LABEL_NAME_MAX_LENGTH), line_of(each, LABEL_VALUE_MAX_LENGTH)
        if name and text:
            labels.setdefault(name, text)
        if len(labels) == MAX_LABELS:
            break
    return labels


def link_of(*values: object) -> str:
    """Return the first of some values that is a link to follow: http or https, with a host; or ""."""
    given = (value for value in values if isinstance(value, str) and len(value) <= LINK_MAX_LENGTH)
    return next(filter(_is_url, given), "")


def time_of(value: object) -> datetime | None:
    """Return the time of ISO 8601 text (UTC where it names no zone), or of Unix seconds or milliseconds.

    None for anything else, and for what is not between 1970 and 2100, as Go's zero time isn't.
    """
    if isinstance(value, str) and _UNIX.fullmatch(value):
        value = float(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not 0 < value < _SECONDS_END * 1000 or not math.isfinite(value):
                return None
            at = datetime.fromtimestamp(value if value < _SECONDS_END else value / 1000, UTC)
        elif isinstance(value, str) and len(value) <= 40:
            at = datetime.fromisoformat(value.strip())
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return at if _TIME_BEGIN < at < TIME_END else None


def mapping_of(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object, what: str) -> Sequence[Any]:
    """Return a JSON list of at most a thousand values.

    Raises:
        Malformed: it isn't one; ``what`` names it.
    """
    if not isinstance(value, list):
        raise Malformed(f"{what} is not a list.")
    if len(value) > MAX_OCCURRENCES:
        raise Malformed(f"{what} holds more than {MAX_OCCURRENCES} entries.")
    return value


def first_text(values: Iterable[object]) -> str:
    """Return the first of some values that is text with more than spaces in it, or ""."""
    return next((value for value in values if isinstance(value, str) and value.strip()), "")


def plain(value: object) -> str:
    """Return a JSON value as text: a string as it is, nothing for null, an object or a list as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            try:
                return json.dumps(value, ensure_ascii=False)
            # Numbers of thousands of digits, and what is nested thousandfold.
            except (ValueError, RecursionError):
                return ""


# The alerts of a body, and those of a rule, name the same ones.
_is_url: Final = lru_cache(maxsize=1024)(is_http_url)
