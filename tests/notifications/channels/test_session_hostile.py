"""Answers that are drawn to do harm: each send gets the answer to its own request or an error, in time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from notifications.channels.message import Unavailable
from notifications.channels.transport.session import Session
from tests.notifications.channels.hostile import SURPLUS_BODY, SURPLUS_STATUS, hostile

TIMEOUT_S = 0.3
#: A busy machine may take so much longer.
SLACK_S = 10
SENDS = 80


async def settled(server_is_quiet: asyncio.Event) -> None:
    """Let the client read all that was said: of what comes only later it can't know."""
    await server_is_quiet.wait()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("keep_body", [True, False])
async def test_no_send_gets_an_answer_that_was_not_its_own(seed: int, keep_body: bool) -> None:
    answered = 0
    async with hostile(seed) as server, Session() as session:
        for number in range(SENDS):
            body = b"request %d" % number
            started = time.monotonic()
            try:
                answer = await session.answer_to(
                    f"http://127.0.0.1:{server.port}/{number}",
                    body=body,
                    headers={},
                    timeout_s=TIMEOUT_S,
                    trusted=True,
                    keep_body=keep_body,
                )
            except Unavailable:
                answer = None
            assert time.monotonic() - started < TIMEOUT_S + SLACK_S, server.told
            if answer is not None:
                answered += 1
                assert answer.status != SURPLUS_STATUS, server.told
                assert SURPLUS_BODY not in answer.body, server.told
                assert body.startswith(answer.body), server.told
            await settled(server.is_quiet)
    assert answered > SENDS / 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_sends_at_once_get_their_own_answers(seed: int) -> None:
    """No two share a connection, whatever its server says on it."""

    async def send(session: Session, port: int, number: int) -> bool:
        body = b"request %d." % number
        try:
            answer = await session.answer_to(
                f"http://127.0.0.1:{port}/{number}",
                body=body,
                headers={},
                timeout_s=TIMEOUT_S + SLACK_S / 4,
                trusted=True,
                keep_body=True,
            )
        except Unavailable:
            return False
        return answer.status == SURPLUS_STATUS or not body.startswith(answer.body)

    async with hostile(seed) as server, Session() as session:
        for start in range(0, SENDS, 8):
            sends = (send(session, server.port, number) for number in range(start, start + 8))
            assert not any(await asyncio.gather(*sends))
            await settled(server.is_quiet)


ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"X" * 8192),
    "a header": (b"HTTP/1.1 200 X\r\nA: ", b"b" * 8192),
    "a name of a header": (b"HTTP/1.1 200 X\r\n", b"b" * 8192),
    "headers": (b"HTTP/1.1 200 X\r\n", b"Some: thing\r\n" * 600),
    "hints": (b"", b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\n" * 200),
    "a chunk's extension": (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;a=", b"b" * 8192),
    "trailers": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
        b"Some: thing\r\n" * 600,
    ),
    "small chunks": (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1000),
    "a body": (b"HTTP/1.0 200 X\r\n\r\n", b"b" * 8192),
}


@asynccontextmanager
async def endless(begin: bytes, more: bytes) -> AsyncIterator[tuple[int, list[int]]]:
    """A server that never stops, and what it got rid of, in bytes, on each connection."""
    said: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        said.append(0)
        with contextlib.suppress(OSError):
            writer.write(begin)
            while True:
                writer.write(more)
                await writer.drain()
                said[-1] += len(more)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], said
        async with asyncio.timeout(SLACK_S):
            await asyncio.gather(*tasks)


@pytest.mark.slow
@pytest.mark.parametrize("keep_body", [True, False])
@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_cut_off_long_before_the_timeout(what: str, keep_body: bool) -> None:
    async with endless(*ENDLESS[what]) as (port, said), Session() as session:
        with contextlib.suppress(Unavailable):
            answer = await session.answer_to(
                f"http://127.0.0.1:{port}/",
                body=b"",
                headers={},
                timeout_s=60,
                trusted=True,
                keep_body=keep_body,
            )
            assert answer.status == 200
            assert len(answer.body) <= 65_536
        async with asyncio.timeout(SLACK_S * 2):
            while session.http._all():
                await asyncio.sleep(0.01)
    # What the two sockets hold is read by nobody.
    assert sum(said) < 8_000_000
