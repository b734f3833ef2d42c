"""What an upload may hold, counted while it is unpacked, before anything is built of it."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from django.conf import settings

GZIP_MAGIC: Final = b"\x1f\x8b"
# A gzip header and trailer around the deflated data.
GZIP_WBITS: Final = 31
# So many gzips may follow each other: packers that work in blocks of 64 KiB make 640 of the largest upload.
GZIPS_MOST: Final = 1_000
# What is unpacked at once.
PIECE_BYTES: Final = 65_536
# Values of one record, those that are passed over included.
VALUES_MOST: Final = 32
# A line may end with two characters, or be empty.
ENDS_OF_LINE: Final = 2

# What stands before each value but the first of a body; it may stand within texts too.
_VALUES: Final = {
    "application/json": (b",", b"[", b"{"),
    "application/x-ndjson": (b",", b"[", b"{"),
    "text/csv": (b",", b";", b"\t"),
}


class NotReadable(Exception):
    """What was sent is not in the format that it was said to be in; the message says where."""


class TooLarge(Exception):
    """An upload has more bytes than it may have, as sent or unpacked."""

    def __init__(self) -> None:
        limit = settings.TRACING_UPLOAD_MAX_BYTES
        super().__init__(f"The body is larger than {limit} bytes, as sent or unpacked.")


class TooMany(Exception):
    """An upload has more records than it may have, or records with more values than any has."""

    def __init__(self) -> None:
        most = settings.TRACING_UPLOAD_MAX_RECORDS
        super().__init__(f"Expected at most {most} records, with at most {VALUES_MOST} values each.")


def unpacked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip piece by piece; several packed one after the other are one, as gzip(1) has it.

    Raises:
        NotReadable: it is no gzip, ends too early, or is of too many.
    """
    gzips, unpacker = 0, None
    for block in blocks:
        rest = block
        while rest or unpacker:
            if unpacker is None:
                gzips += 1
                if gzips > GZIPS_MOST:
                    raise NotReadable(f"The body is of more than {GZIPS_MOST} gzips.")
                unpacker = zlib.decompressobj(GZIP_WBITS)
            try:
                piece = unpacker.decompress(rest, PIECE_BYTES)
            except zlib.error:
                raise NotReadable("The body is not valid gzip.")
            yield piece
            if unpacker.eof:
                rest, unpacker = unpacker.unused_data, None
                continue
            rest = unpacker.unconsumed_tail
            if not rest and len(piece) < PIECE_BYTES:
                break
    if unpacker is not None:
        raise NotReadable("The gzip ends too early.")


def counted(pieces: Iterable[bytes], media_type: str) -> Iterator[bytes]:
    """Pass on an upload as long as it stays within bounds.

    Raises:
        TooLarge: it has too many bytes.
        TooMany: it has too many lines or values.
    """
    records = settings.TRACING_UPLOAD_MAX_RECORDS
    values_left = VALUES_MOST * (records + 1)
    # In a JSON list, lines mean nothing.
    lines_left = None if media_type == "application/json" else ENDS_OF_LINE * (records + 1)
    bytes_left = settings.TRACING_UPLOAD_MAX_BYTES
    for piece in pieces:
        bytes_left -= len(piece)
        if bytes_left < 0:
            raise TooLarge
        values_left -= sum(map(piece.count, _VALUES[media_type]))
        if lines_left is not None:
            lines_left -= piece.count(b"\n") + piece.count(b"\r")
        if values_left < 0 or (lines_left is not None and lines_left < 0):
            raise TooMany
        yield piece
