"""Reading files of any size in parts of whole lines."""

from collections.abc import Iterator
from itertools import chain
from typing import IO

from tracing.intake.bounds import NotReadable
from tracing.intake.formats import Columns, csv_names, from_csv, from_json, from_ndjson, lines_of

# Half a million records or so: as many as are read and checked together.
PART_BYTES = 24 << 20


def columns_in(file: IO[bytes]) -> Iterator[tuple[Columns, int]]:
    """Yield parts of a file, each with the number of bytes read; the format is told by its first byte.

    ``[`` is a JSON list, which is read as a whole, ``{`` NDJSON, anything else CSV.

    Raises:
        NotReadable: it is in none of these.
    """
    parts = _whole_lines(file)
    first = next(parts, b"")
    match first.lstrip()[:1]:
        case b"[":
            whole = first + b"".join(parts)
            yield from_json(whole), len(whole)
        case b"{":
            for part in chain([first], parts):
                yield from_ndjson(part), len(part)
        case _:
            if not first:
                raise NotReadable("The file is empty.")
            lines = lines_of(first)
            names = csv_names(lines[0])
            yield from_csv(lines[1:] if names.in_first_line else lines, names), len(first)
            for part in parts:
                yield from_csv(lines_of(part), names), len(part)


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := file.read(PART_BYTES):
        lines, newline, tail = block.rpartition(b"\n")
        if not newline:
            rest += block
            continue
        yield rest + lines + newline
        rest = tail
    if rest:
        yield rest
