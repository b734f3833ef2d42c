"""Reads what py-amqp raises at: such a message comes again and again, and ends each consumer that gets it.

RabbitMQ passes on whatever bytes a publisher gave it. The layouts are those of AMQP 0-9-1, 4.2.5 and 4.2.6.1.
"""

import base64
from collections.abc import Callable, Iterator
from struct import error as StructError
from struct import pack, unpack_from
from typing import Any, Final

import structlog
from amqp import FrameSyntaxError
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic, dumps
from amqp.spec import Basic

from notifications.brokers.messages import BODY_MAX_BYTES

log = structlog.get_logger(__name__)

Frame = tuple[int, int, bytes]

#: The header under which a message has its properties, in base64, where they can't be read.
UNREADABLE: Final = "x-unreadable-properties"

_HEADER_FRAME: Final = 2
_BODY_FRAME: Final = 3
# Of a body, so much reaches us: one byte more than may be, by which it is known to be too large.
_MOST_BYTES: Final = BODY_MAX_BYTES + 1
# Class, weight and size of the body, which come before the properties.
_HEAD_BYTES: Final = 12
_SIZE_OFFSET: Final = 4
_ERRORS: Final = (
    ArithmeticError,
    LookupError,
    OSError,
    RecursionError,
    ValueError,
    StructError,
    FrameSyntaxError,
)
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
    handle = frame_handler(connection, _lenient(callback))
    cut = Cutter()

    def on_frame(whole: Frame) -> bool:
        if (frame := cut(whole)) is None:
            return False
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
    try:
        mended = _with_numbers(payload)
    except _ERRORS:
        pass
    else:
        if _is_readable(mended):
            return mended
    log.warning("message_properties_unreadable")
    given = base64.b64encode(payload[_HEAD_BYTES:]).decode()
    return payload[:_HEAD_BYTES] + b"\x20\x00" + dumps("F", [{UNREADABLE: given}])


def _is_readable(payload: bytes) -> bool:
    try:
        decode_properties_basic(payload, _HEAD_BYTES)
    except _ERRORS:
        return False
    return True


def _with_numbers(payload: bytes) -> bytes:
    """Return a content header with signed integers, as long, for timestamps that Python has no year for."""
    mended = bytearray(payload)
    for offset in _timestamps(payload):
        if unpack_from(">Q", payload, offset + 1)[0] > _LAST_SECOND:
            mended[offset] = ord("l")
    return bytes(mended)


def _timestamps(payload: bytes) -> Iterator[int]:
    """Yield where timestamps stand in the headers: their letters."""
    (flags,) = unpack_from(">H", payload, _HEAD_BYTES)
    offset = _HEAD_BYTES + 2
    for flag in (0x8000, 0x4000):  # the content's type and encoding come before the headers
        if flags & flag:
            offset += 1 + payload[offset]
    if not flags & 0x2000:
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
        offset += 1
        if letter in (b"F", b"A"):
            within.append((offset + 4 + unpack_from(">I", payload, offset)[0], letter == b"F"))
            offset += 4
        elif letter in (b"S", b"x"):
            offset += 4 + unpack_from(">I", payload, offset)[0]
        else:
            offset += _SIZES[letter[0]]


def _lenient(callback: Callable[..., Any]) -> Callable[..., Any]:
    def on_method(channel: int, method: tuple[int, int], payload: bytes, content: Any) -> Any:
        try:
            return callback(channel, method, payload, content)
        except UnicodeDecodeError:
            if method != Basic.Deliver or (mended := _ascii(payload)) == payload:
                raise
            return callback(channel, method, mended, content)

    return on_method


def _ascii(payload: bytes) -> bytes:
    """Return a delivery with a question mark for each byte of exchange and routing key that is not ASCII."""
    # Method, consumer's tag, number of the delivery, whether it came before; see AMQP's basic.deliver.
    offset = 4 + 1 + payload[4] + 8 + 1
    exchange = offset + 1 + payload[offset]
    mended = bytearray(payload)
    for start, end in ((offset + 1, exchange), (exchange + 1, len(payload))):
        mended[start:end] = payload[start:end].translate(_NOT_ASCII)
    return bytes(mended)
