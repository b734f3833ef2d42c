"""Headers of messages as JSON can hold them: AMQP has types of its own."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Self

MAX_DEPTH: Final = 8
MAX_LENGTH: Final = 10_000
MAX_ITEMS: Final = 200
#: Of a header's name, in UTF-8: AMQP has no longer ones.
NAME_MAX_BYTES: Final = 255
#: What AMQP's largest whole number can be: 64 bits, one of them the sign.
_INT64: Final = range(-(2**63), 2**63)


class Headers(dict[str, Any]):
    """A message's headers as JSON can hold them, and as they came over the wire.

    ``wire`` is the entries of AMQP's table, as bytes: whoever is answered gets them back as they were, types
    and all. Empty where the broker has no such thing, or they make no sense.
    """

    wire: bytes = b""

    @classmethod
    def of(cls, headers: Mapping[str, Any], *, wire: bytes) -> Self:
        made = cls(headers)
        made.wire = wire
        return made


def wire_of(headers: Mapping[str, Any]) -> bytes:
    """Return headers as they came over AMQP; empty where they came otherwise."""
    return headers.wire if isinstance(headers, Headers) else b""


def clean(text: str) -> str:
    """Return text as UTF-8 and PostgreSQL can hold it: without halves of characters and without NUL."""
    return text.replace("\x00", "�").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain(value: Any, depth: int = 0) -> Any:
    """Return headers as PostgreSQL's JSON can hold them; what it has no type for, as text."""
    if depth > MAX_DEPTH:
        return "…"
    match value:
        case None | bool():
            return value
        case int():
            return value if value in _INT64 else str(value)
        case str():
            return clean(value)[:MAX_LENGTH]
        case float():
            return value if value - value == 0 else str(value)
        case bytes() | bytearray() | memoryview():
            # The text that they spell, such as somebody's number; else in base64.
            try:
                text = bytes(value).decode()
            except UnicodeDecodeError:
                text = ""
            if not (text and text.isprintable()):
                text = base64.b64encode(bytes(value)).decode()
            return text[:MAX_LENGTH]
        case datetime():
            return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
        case date() | Decimal():
            return str(value)
        case Mapping():
            return {
                clean(str(name)).encode()[:NAME_MAX_BYTES].decode("utf-8", "ignore"): plain(item, depth + 1)
                for name, item in list(value.items())[:MAX_ITEMS]
            }
        case Sequence():
            return [plain(item, depth + 1) for item in value[:MAX_ITEMS]]
        case _:
            return plain(str(value))
