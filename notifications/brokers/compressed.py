"""Bodies that a publisher had compressed, which kombu decompresses as they arrive: here within a limit."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final

from kombu import compression

from notifications.brokers.messages import BODY_MAX_BYTES

# What a body may be, and one more, by which it is known to be too large.
_MOST: Final = BODY_MAX_BYTES + 1


def bound() -> None:
    """Bound every way of compression that kombu knows; one that has no bound is not understood any more."""
    known: dict[str, Callable[[], Any]] = {
        "application/x-gzip": zlib.decompressobj,
        "application/x-bz2": bz2.BZ2Decompressor,
        "application/x-lzma": lzma.LZMADecompressor,
    }
    for content_type in compression.encoders():
        encoder, _ = compression.get_encoder(content_type)
        compression.register(encoder, _decoder(known.get(content_type)), content_type)


def _decoder(decompressor: Callable[[], Any] | None) -> Callable[[bytes], bytes]:
    def decode(body: bytes) -> bytes:
        if decompressor is None:
            raise ValueError("This compression has no limit.")
        unpacker = decompressor()
        found: bytes = unpacker.decompress(body, _MOST)
        if not unpacker.eof and len(found) < _MOST:
            raise ValueError("It ends too early.")
        return found

    return decode
