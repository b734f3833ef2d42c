"""Headers of messages as JSON can hold them: AMQP has types of its own."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

MAX_DEPTH: Final = 8
MAX_LENGTH: Final = 10_000
MAX_ITEMS: Final = 200


def clean(text: str) -> str:
    """Return text as UTF-8 and PostgreSQL can hold it: without halves of characters and without NUL."""
    return text.replace("\x00", "�").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain(value: Any, depth: int = 0) -> Any:
    """Return headers as PostgreSQL's JSON can hold them; what it has no type for, as text."""
    if depth > MAX_DEPTH:
        return "…"
    match value:
        case None | bool() | int():
            return value
        case str():
            return clean(value)[:MAX_LENGTH]
        case float():
            return value if value - value == 0 else str(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()[:MAX_LENGTH]
        case datetime():
            return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
        case date() | Decimal():
            return str(value)
        case Mapping():
            return {
                plain(str(name)): plain(each, depth + 1) for name, each in list(value.items())[:MAX_ITEMS]
            }
        case Sequence():
            return [plain(each, depth + 1) for each in value[:MAX_ITEMS]]
        case _:
            return plain(str(value))
