"""Reads what py-amqp raises at: such a message comes again and again, and ends each consumer that gets it.

RabbitMQ passes on whatever bytes a publisher gave it. The layouts are those of AMQP 0-9-1, 4.2.5 and 4.2.6.1.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from struct import error as StructError
from struct import pack, unpack_from
from typing import Any, Final

import structlog
from amqp import FrameSyntaxError, Message
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic, dumps
from amqp.spec import Basic

from notifications.brokers.messages import BODY_MAX_BYTES

log = structlog.get_logger(__name__)

Frame = tuple[int, int, bytes]

#: The header under which a message has its properties, in base64, where they can't be read.
UNREADABLE: Final = "x-unreadable-properties"
#: The property under which a message has its headers as they came: a table's entries, as bytes.
WIRE: Final = "wire_headers"

# Among the flags of properties: there are headers.
_HEADERS: Final = 0x2000
_HEADER_FRAME: Final = 2
_BODY_FRAME: Final = 3
# Of a body, so much reaches us: one byte more than may be, by which it is known to be too large.
_MOST_BYTES: Final = BODY_MAX_BYTES + 1
# Class, weight and size of the body, which come before the properties.
_HEAD_BYTES: Final = 12
_SIZE_OFFSET: Final = 4
_ERRORS: Final = (
    ArithmeticError, LookupError, OSError, RecursionError, ValueError, StructError, FrameSyntaxError,
)  # fmt: skip
# The last second of the year 9999, which is where Python's times end.
_LAST_SECOND: Final = 253_402_300_799
_SIZES: Final = {
    letter: size
    for letters, size in ((b"V", 0), (b"tbB", 1), (b"Uus", 2), (b"Iif", 4), (b"D", 5), (b"lLdT", 8))
    for letter in letters
}
_NOT_ASCII: Final = bytes(each if each < 0x80 else ord("?") for each in range(256))


def lenient_frame_handler(connection: Any, callback: Callable[..., Any]) -> Callable[[Frame], bool]:
    """Return py-amqp's frame handler, with what it can't read replaced, and what is too much left out."""
    # Of each channel, the headers of the message that arrives there.
    tables: dict[int, bytes] = {}
    cut = Cutter()

    def on_method(channel: int, method: tuple[int, int], payload: bytes, content: Any) -> Any:
        if content is not None:
            content.properties[WIRE] = tables.pop(channel, b"")
        try:
            return callback(channel, method, payload, content)
        except UnicodeDecodeError:
            if method != Basic.Deliver or (mended := _ascii(payload)) == payload:
                raise
            return callback(channel, method, mended, content)

    handle = frame_handler(connection, on_method)

    def on_frame(whole: Frame) -> bool:
        if (frame := cut(whole)) is None:
            return False
        if frame[0] == _HEADER_FRAME:
            tables[frame[1]] = table_of(frame[2])
        try:
            return bool(handle(frame))
        except _ERRORS:
            kind, channel, payload = frame
            if kind != _HEADER_FRAME or _is_readable(payload):
                raise
            return bool(handle((kind, channel, readable(payload))))

    return on_frame


class Cutter:
    """Shortens bodies that are too large while they arrive: they may have many megabytes, many at once."""

    def __init__(self) -> None:
        # Of the body that arrives at each channel: the bytes that are still taken, if it is one of these.
        self._left: dict[int, int] = {}

    def __call__(self, frame: Frame) -> Frame | None:
        """Return a frame, or what is taken of it."""
        kind, channel, payload = frame
        if kind == _HEADER_FRAME:
            self._left.pop(channel, None)
            if unpack_from(">Q", payload, _SIZE_OFFSET)[0] > _MOST_BYTES:
                self._left[channel] = _MOST_BYTES
                size = pack(">Q", _MOST_BYTES)
                return kind, channel, bytes(payload[:_SIZE_OFFSET]) + size + bytes(payload[_HEAD_BYTES:])
        elif kind == _BODY_FRAME and channel in self._left:
            taken = payload[: self._left[channel]]
            self._left[channel] -= len(taken)
            return (kind, channel, taken) if taken else None
        return frame


def readable(payload: bytes) -> bytes:
    """Return a content header that can be read, of one that can't.

    Its timestamps beyond Python's are numbers; if that is not enough, its properties' bytes are all it has.
    """
    mended = bytearray(payload)
    with suppress(*_ERRORS):
        for offset in _timestamps(payload):
            if unpack_from(">Q", payload, offset + 1)[0] > _LAST_SECOND:
                mended[offset] = ord("l")  # a signed integer, as long
        if _is_readable(bytes(mended)):
            return bytes(mended)
    log.warning("message_properties_unreadable")
    given = base64.b64encode(payload[_HEAD_BYTES:]).decode()
    return payload[:_HEAD_BYTES] + b"\x20\x00" + dumps("F", [{UNREADABLE: given}])


def _is_readable(payload: bytes) -> bool:
    with suppress(*_ERRORS):
        decode_properties_basic(payload, _HEAD_BYTES)
        return True
    return False


def table_of(payload: bytes) -> bytes:
    """Return the headers of a content header: their bytes, without the length; none where they are broken."""
    with suppress(*_ERRORS):
        if (offset := _table_offset(payload, _HEAD_BYTES)) is not None:
            end = offset + 4 + unpack_from(">I", payload, offset)[0]
            return bytes(payload[offset + 4 : end]) if end <= len(payload) else b""
    return b""


def entries_of(table: bytes) -> list[tuple[bytes, bytes]]:
    """Return a table's entries: the name of each, and all its bytes; none where it is broken."""
    found, offset = [], 0
    try:
        while offset < len(table):
            end = _value_end(table, start := offset + 1 + table[offset])
            found.append((table[offset + 1 : start], table[offset:end]))
            offset = end
    except _ERRORS:
        return []
    return found if offset == len(table) else []


class WireMessage(Message):
    """A message whose headers go out as they came in, type by type; py-amqp has fewer types than AMQP."""

    def __init__(self, *given: Any, wire: bytes, **properties: Any) -> None:
        super().__init__(*given, **properties)
        self.wire = wire

    def _serialize_properties(self) -> bytes:
        self.properties.pop("application_headers", None)
        plain: bytes = super()._serialize_properties()
        (flags,) = unpack_from(">H", plain)
        offset = _before_table(plain, 0)
        head, rest = plain[2:offset], plain[offset:]
        return pack(">H", flags | _HEADERS) + head + pack(">I", len(self.wire)) + self.wire + rest


def _table_offset(properties: bytes, start: int) -> int | None:
    """Return where the headers' length stands; None where there are no headers."""
    (flags,) = unpack_from(">H", properties, start)
    return _before_table(properties, start) if flags & _HEADERS else None


def _before_table(properties: bytes, start: int) -> int:
    (flags,) = unpack_from(">H", properties, start)
    offset = start + 2
    for flag in (0x8000, 0x4000):  # the content's type and encoding come before the headers
        if flags & flag:
            offset += 1 + properties[offset]
    return offset


def _value_end(table: bytes, offset: int) -> int:
    """Return where the value ends whose letter stands there."""
    letter = table[offset : offset + 1]
    if letter in (b"F", b"A", b"S", b"x"):
        return offset + 5 + int(unpack_from(">I", table, offset + 1)[0])
    return offset + 1 + _SIZES[table[offset]]


def _timestamps(payload: bytes) -> Iterator[int]:
    """Yield where timestamps stand in the headers: their letters."""
    offset = _table_offset(payload, _HEAD_BYTES)
    if offset is None:
        return
    # Of each table and list that is entered: where it ends, and whether its values have names.
    within = [(offset + 4 + unpack_from(">I", payload, offset)[0], True)]
    offset += 4
    while within:
        end, named = within[-1]
        if offset >= end:
            within.pop()
            continue
        if named:
            offset += 1 + payload[offset]
        letter = payload[offset : offset + 1]
        if letter == b"T":
            yield offset
        value_end = _value_end(payload, offset)
        if letter in (b"F", b"A"):
            within.append((value_end, letter == b"F"))
            offset += 5
        else:
            offset = value_end


def _ascii(payload: bytes) -> bytes:
    """Return a delivery with a question mark for each byte of exchange and routing key that is not ASCII."""
    # Method, consumer's tag, number of the delivery, whether it came before; see AMQP's basic.deliver.
    offset = 4 + 1 + payload[4] + 8 + 1
    exchange = offset + 1 + payload[offset]
    mended = bytearray(payload)
    for start, end in ((offset + 1, exchange), (exchange + 1, len(payload))):
        mended[start:end] = payload[start:end].translate(_NOT_ASCII)
    return bytes(mended)
