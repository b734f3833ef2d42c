"""Bodies that mean harm: small to send, and large for whoever builds what they say before counting it."""

import gzip
import json
import zlib
from collections.abc import Iterator

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
NAMES = b"my_id,other_id,timestamp_start,timestamp_end,distance\n"
# As many parts of a body as fit into what an upload may have unpacked.
MILLIONS = 13_000_000
EMPTY_GZIP = gzip.compress(b"", mtime=0)


def packed(part: bytes, times: int, *, begin: bytes = b"[", end: bytes = b"]") -> bytes:
    """Pack a body that repeats one part, without ever having it whole."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(begin)]
    parts += [packer.compress(part * 1000) for _ in range(times // 1000)]
    return b"".join([*parts, packer.compress(part.rstrip(b",") + end), packer.flush()])


def uploads() -> Iterator[tuple[str, str, bytes]]:
    """Yield what is sent to where records are uploaded: a name, the media type and the body."""
    yield "empty objects", JSON, packed(b"{},", MILLIONS)
    yield "empty lists", JSON, packed(b"[],", MILLIONS)
    yield "members of one record", JSON, packed(b'"":1,', 7_000_000, begin=b"[{", end=b"}]")
    yield "depth", JSON, packed(b"[", MILLIONS, begin=b"", end=b"")
    yield "lines of NDJSON", NDJSON, packed(b"{}\n", MILLIONS, begin=b"", end=b"")
    yield "lines of CSV", CSV, packed(b"a\n", 19_900_000, begin=NAMES, end=b"")
    yield "columns of CSV", CSV, packed(b",", 39_000_000, begin=b"my_id", end=b"\n")
    yield "2 MB of empty gzips", JSON, EMPTY_GZIP * 100_000
    yield "8 MB of empty gzips", JSON, EMPTY_GZIP * 400_000
    yield "as many objects as pass", JSON, packed(b"{},", 390_000)


def bodies() -> Iterator[tuple[str, bytes]]:
    """Yield what every endpoint is sent that takes JSON."""
    yield "depth", b"[" * 900_000
    yield "empty objects", b"[" + b"{}," * 333_000 + b"{}]"
    yield "numbers", b"[" + b"1," * 490_000 + b"1]"
    yield "fields", json.dumps({f"f{number}": 1 for number in range(70_000)}).encode()
    yield "equal fields", b"{" + b'"a":1,' * 160_000 + b'"a":1}'
    yield "a long string", b'{"a":"' + b"x" * 990_000 + b'"}'
    yield "a long number", b'{"a":' + b"9" * 990_000 + b"}"
    yield "no UTF-8", b'{"a":"' + b"\xff" * 990_000 + b'"}'
    yield "half a character", b'{"a":"' + b"\\ud800" * 160_000 + b'"}'
