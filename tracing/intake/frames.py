"""How the web process and its readers speak: each frame is its length, in four bytes, and what it holds."""

from struct import Struct
from typing import IO, Final

_LENGTH: Final = Struct("!I")


def frame_write(stream: IO[bytes], content: bytes | memoryview) -> None:
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)


def frame_read(stream: IO[bytes]) -> bytes:
    """Return what the next frame holds; EOFError: the other side is gone."""
    return _exactly(stream, _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0])


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
