"""A server that answers as no server should: drawn anew for every request, and told by a seed."""

import asyncio
import contextlib
import fcntl
import random
import struct
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

#: What no request asked for: an answer with this status or body was meant for nobody.
SURPLUS_STATUS, SURPLUS_BODY = 299, b"surplus"


class Hostile:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._speaking = 0
        #: Set while nothing is being said, and all that was said has arrived.
        self.is_quiet = asyncio.Event()
        self.is_quiet.set()
        #: What was done last, for a failure to show.
        self.told = ""

    def answer(self, body: bytes, *, status: int = 200, close: bool = False) -> bytes:
        """A sound answer, in one of the shapes that there are."""
        head = b"HTTP/1.1 %d X\r\n" % status + (b"Connection: close\r\n" if close else b"")
        if self.draw.random() < 0.5:
            return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        cut = self.draw.randrange(len(body) + 1)
        parts = [part for part in (body[:cut], body[cut:]) if part]
        chunks = b"".join(b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in parts)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    def surplus(self) -> bytes:
        return self.answer(SURPLUS_BODY, status=SURPLUS_STATUS)

    def script(self, body: bytes) -> tuple[str, bytes, bool]:
        """Return what it is called, the bytes, and whether the connection is closed after them."""
        sound = self.answer(body)
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
        cut = self.draw.randrange(1, len(sound))
        kinds: dict[str, tuple[bytes, bool]] = {
            "sound": (sound, False),
            "sound, and closes": (self.answer(body, close=True), True),
            "says to go on, closes": (sound, True),
            "surplus": (sound + self.surplus() * self.draw.randrange(1, 4), False),
            "half a surplus": (sound + self.surplus()[: self.draw.randrange(1, 40)], False),
            "surplus line breaks": (sound + b"\r\n" * self.draw.randrange(1, 4), False),
            "surplus noise": (sound + self.draw.randbytes(30), False),
            "surplus early hints": (sound + early, False),
            "hints": (early * self.draw.randrange(1, 5) + sound, False),
            "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + sound, False),
            "cut": (sound[:cut], True),
            "cut and silent": (sound[:cut], False),
            "nothing": (b"", True),
            "switches": (
                b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + self.surplus(),
                False,
            ),
            "length too small": (
                b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (max(len(body) - 1, 0), body),
                False,
            ),
            "length twice": (
                b"HTTP/1.1 200 X\r\nContent-Length: 1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
                False,
            ),
            "length and chunks": (
                b"HTTP/1.1 200 X\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + self.surplus(),
                False,
            ),
            "chunks and length": (
                b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
                + self.surplus(),
                False,
            ),
            "no length": (b"HTTP/1.0 200 X\r\n\r\n" + body, True),
            "negative length": (b"HTTP/1.1 200 X\r\nContent-Length: -1\r\n\r\n" + body, False),
            "chunks of letters": (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False),
            "a chunk too large": (
                b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % (b"f" * 17),
                False,
            ),
            "a chunk too small": (
                b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%b\r\n0\r\n\r\n" % body,
                False,
            ),
            "204 with a body": (
                b"HTTP/1.1 204 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), self.surplus()),
                False,
            ),
            "no HTTP": (self.draw.randbytes(50), False),
            "HTTP of another kind": (b"HTTP/9.9 200 X\r\n\r\n", False),
            "bare line feeds": (sound.replace(b"\r\n", b"\n"), False),
            "a header that folds": (sound.replace(b"X\r\n", b"X\r\nA: b\r\n  c\r\n", 1), False),
        }
        name = self.draw.choice(list(kinds))
        return name, *kinds[name]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
                with self._not_quiet():
                    self.told, said, is_over = self.script(body)
                    await self._say(writer, said)
                if is_over:
                    break
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    @contextlib.contextmanager
    def _not_quiet(self) -> Iterator[None]:
        self._speaking += 1
        self.is_quiet.clear()
        try:
            yield
        finally:
            self._speaking -= 1
            if not self._speaking:
                self.is_quiet.set()

    async def end(self) -> None:
        """Wait for connections whose client is gone."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self._tasks)

    async def _say(self, writer: asyncio.StreamWriter, said: bytes) -> None:
        """Write in pieces that end anywhere."""
        pieces = self.draw.choice((1, 1, 2, 5, len(said) or 1))
        cuts = sorted(self.draw.randrange(len(said) + 1) for _ in range(pieces - 1))
        for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True):
            writer.write(said[start:end])
            await writer.drain()
            await asyncio.sleep(0)
        for _ in range(100):  # a client that is gone takes nothing any more
            if writer.is_closing() or not _on_its_way(writer):
                break
            await asyncio.sleep(0.001)


def _on_its_way(writer: asyncio.StreamWriter) -> int:
    """How many bytes the other side's kernel has not taken yet."""
    descriptor = writer.get_extra_info("socket").fileno()
    return (
        struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4))[0] if descriptor >= 0 else 0
    )


@asynccontextmanager
async def hostile(seed: int) -> AsyncIterator[Hostile]:
    it = Hostile(seed)
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
        await it.end()
    finally:
        server.close()
