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
# Values of one record, those that are passed over included; so many of them may be lists or objects.
VALUES_MOST: Final = 32
NESTED_MOST: Final = 4
# A line may end with two characters, or be empty.
ENDS_OF_LINE: Final = 2

_NESTED: Final = ((b"[", b"{"), NESTED_MOST)
_LINES: Final = ((b"\n", b"\r"), ENDS_OF_LINE)
# What is counted, and how often it may stand for each record; within texts, it may stand too.
_COUNTED: Final = {
    "application/json": (((b",",), VALUES_MOST), _NESTED),
    "application/x-ndjson": (((b",",), VALUES_MOST), _NESTED, _LINES),
    "text/csv": (((b",", b";", b"\t"), VALUES_MOST), _LINES),
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
                    raise NotReadable(f"The body consists of more than {GZIPS_MOST} gzip members.")
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

    TooLarge: it has too many bytes. TooMany: it has too many lines or values.
    """
    marks = _COUNTED[media_type]
    # One more: the line of names, and the list itself.
    left = [most * (settings.TRACING_UPLOAD_MAX_RECORDS + 1) for _, most in marks]
    bytes_left = settings.TRACING_UPLOAD_MAX_BYTES
    for piece in pieces:
        bytes_left -= len(piece)
        if bytes_left < 0:
            raise TooLarge
        for place, (signs, _) in enumerate(marks):
            left[place] -= sum(map(piece.count, signs))
        if min(left) < 0:
            raise TooMany
        yield piece
