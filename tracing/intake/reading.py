"""From the body of an upload to records: here where it is small, else in a process of its own."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import Final

from tracing.intake import readers
from tracing.intake.bounds import GZIP_MAGIC, counted, unpacked
from tracing.intake.checking import records_of
from tracing.intake.records import Records

# Up to so many bytes, unpacked, reading takes a moment, and no memory worth speaking of.
SMALL_BYTES: Final = 262_144


def records_read(blocks: Iterable[bytes], media_type: str, *, is_gzip: bool, now: datetime) -> Records:
    """Read and check an upload; gzip is also told by its first bytes.

    Raises:
        TooLarge, TooMany: there is more of it than may be.
        NotReadable: it is not in its format.
        BadRecords: at least one record is not acceptable.
        TooHeavy, Busy: see ``readers``.
    """
    # Counted to its end before a reader is troubled, or one started.
    with SpooledTemporaryFile(max_size=SMALL_BYTES) as body:
        given = iter(blocks)
        first = next(given, b"")
        whole = chain([first], given)
        is_gzip = is_gzip or first.startswith(GZIP_MAGIC)
        for piece in counted(unpacked(whole) if is_gzip else whole, media_type):
            body.write(piece)
        size = body.tell()
        body.seek(0)
        if size <= SMALL_BYTES:
            return records_of(body.read(), media_type, now=now)
        return readers.records_read(body, media_type, now=now)
