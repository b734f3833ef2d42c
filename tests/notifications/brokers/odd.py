"""Properties, as bytes, that RabbitMQ takes and clients in other languages send; Python has no room for them.

After AMQP 0-9-1, 4.2.5 and 4.2.6.1, with the letters of types as RabbitMQ's errata has them.
"""

from struct import pack
from typing import Final

MILLISECONDS: Final = 1_700_000_000_000
#: Timestamps have no sign; Java's client writes one of 1969 so.
BEFORE_1970: Final = 2**64 - 1

CONTENT_TYPE: Final = 0x8000
HEADERS: Final = 0x2000
MESSAGE_ID: Final = 0x0080
TIMESTAMP: Final = 0x0040


def header(name: bytes, letter: bytes, value: bytes) -> bytes:
    return pack(">B", len(name)) + name + letter + value


def timestamp(seconds: int) -> bytes:
    return header(b"sent", b"T", pack(">Q", seconds))


def long(value: bytes) -> bytes:
    """Return text, a table or a list as it stands in a table."""
    return pack(">I", len(value)) + value


def short(value: bytes) -> bytes:
    return pack(">B", len(value)) + value


def nested(levels: int) -> bytes:
    """Return a header that is a list in a list, and so on."""
    value = long(b"")
    for _ in range(levels - 1):
        value = long(b"A" + value)
    return header(b"deep", b"A", value)


def with_headers(*headers: bytes) -> bytes:
    return pack(">H", HEADERS) + long(b"".join(headers))


#: Properties by what is odd about them.
ODD: Final = {
    "milliseconds": with_headers(timestamp(MILLISECONDS)),
    "before 1970": with_headers(timestamp(BEFORE_1970)),
    "milliseconds within": with_headers(
        header(b"text", b"S", long(b"x")),
        header(b"list", b"A", long(b"F" + long(timestamp(MILLISECONDS)) + b"V")),
        header(b"last", b"t", b"\x01"),
    ),
    "milliseconds after a type": (
        pack(">H", CONTENT_TYPE | HEADERS) + short(b"text/plain") + long(timestamp(MILLISECONDS))
    ),
    "property in milliseconds": pack(">HQ", TIMESTAMP, MILLISECONDS),
    "property before 1970": pack(">HQ", TIMESTAMP, BEFORE_1970),
    "name in Latin-1": with_headers(header(b"\xe9t\xe9", b"I", pack(">i", 1))),
    "text in Latin-1": with_headers(header(b"season", b"S", long(b"\xe9t\xe9"))),
    "half a character": with_headers(header(b"half", b"S", long(b"\xed\xa0\x80\0"))),
    "half an id": pack(">H", MESSAGE_ID) + short(b"\xed\xa0\x80\0"),
    "id in Latin-1": pack(">H", MESSAGE_ID) + short(b"\xe9t\xe9"),
    "deep": with_headers(nested(900)),
    "very deep": with_headers(nested(5000)),
    "compressed by nobody knows whom": with_headers(header(b"compression", b"S", long(b"zip"))),
    "not compressed": with_headers(header(b"compression", b"S", long(b"gzip"))),
    "compressed 1": with_headers(header(b"compression", b"I", pack(">i", 1))),
}
