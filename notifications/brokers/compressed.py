"""Bodies that a publisher had compressed, or written in another character set, opened within a limit.

kombu's own publishers name their compression in a header; others in AMQP's content encoding, as HTTP does,
where again others have the character set.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from kombu import compression

from notifications.brokers.messages import BODY_MAX_BYTES

# What a body may be, and one more, by which it is known to be too large.
_MOST: Final = BODY_MAX_BYTES + 1
# Of content encodings: those that are zlib's, and the character sets that cost no more than their length.
_ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
_CHARSETS: Final = (
    "utf-16", "utf-16le", "utf-16be", "utf-32", "iso-8859-1", "latin-1", "latin1", "windows-1251",
    "windows-1252",
)  # fmt: skip
# Of gzip, written one behind the other; each costs a copy of what follows.
_MEMBERS_MOST: Final = 100
# zlib tells gzip's wrapping from its own by itself.
_EITHER_WRAPPING: Final = 32 + zlib.MAX_WBITS


def bound() -> None:
    """Bound every way of compression that kombu knows; one that has no bound is not understood any more."""
    known: dict[str, Callable[[], Any]] = {
        "application/x-gzip": zlib.decompressobj,
        "application/x-bz2": bz2.BZ2Decompressor,
        "application/x-lzma": lzma.LZMADecompressor,
    }
    for content_type in compression.encoders():
        encoder, _ = compression.get_encoder(content_type)
        compression.register(encoder, partial(_decoded, known.get(content_type)), content_type)


def _decoded(decompressor: Callable[[], Any] | None, body: bytes) -> bytes:
    if decompressor is None:
        raise ValueError("This compression has no limit.")
    unpacker = decompressor()
    found: bytes = unpacker.decompress(body, _MOST)
    if not unpacker.eof and len(found) < _MOST:
        raise ValueError("It ends too early.")
    return found


def opened(body: bytes, content_encoding: Any) -> bytes:
    """Return a body unpacked, as UTF-8, by its content encoding; as it came where that is not so."""
    encoding = str(content_encoding or "").strip().lower()
    try:
        if encoding in _ZLIB:
            # What one or several members of gzip hold, up to what a body may be.
            found, rest = b"", body
            for _ in range(_MEMBERS_MOST):
                unpacker = zlib.decompressobj(_EITHER_WRAPPING)
                found += unpacker.decompress(rest, _MOST - len(found))
                if not unpacker.eof and len(found) < _MOST:
                    raise EOFError
                rest = unpacker.unused_data
                if not rest or len(found) >= _MOST:
                    return found
            raise EOFError
        if encoding in _CHARSETS:
            return body.decode(encoding).encode()
    except (zlib.error, EOFError, UnicodeError):
        pass
    return body
