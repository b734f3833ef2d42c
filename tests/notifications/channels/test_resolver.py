"""Names that nobody answers for keep no other name waiting."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from notifications.channels.transport import resolver as module
from notifications.channels.transport.resolver import AT_ONCE, SLOW_AT_ONCE, Resolver


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names that were looked up, in that order; those below .invalid hang until the test ends."""
    names: list[str] = []
    end = threading.Event()
    look_up = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        names.append(host)
        if str(host).endswith(".invalid"):
            end.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(module, "SLOW_S", 0.2)
    yield names
    end.set()


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    it = Resolver()
    yield it
    await it.close()


async def start(resolver: Resolver, prefix: str, count: int) -> list["asyncio.Task[Any]"]:
    tasks = [asyncio.create_task(resolver.resolve(f"{prefix}{n}.invalid", 443)) for n in range(count)]
    await asyncio.sleep(0)
    return tasks


async def end(tasks: list["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.slow
async def test_more_dead_names_than_places_let_the_next_one_through(
    asked: list[str], resolver: Resolver
) -> None:
    hanging = await start(resolver, "dead", AT_ONCE)
    assert await asyncio.wait_for(resolver.resolve("localhost", 443), 5)
    await end(hanging)


@pytest.mark.slow
async def test_names_that_hung_before_wait_for_each_other_and_keep_no_place(
    asked: list[str], resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = await start(resolver, "dead", AT_ONCE)
    async with asyncio.timeout(20):
        while len(resolver._slow) < AT_ONCE:
            await asyncio.sleep(0.01)
    await end(hanging)
    resolver._known.clear()  # their answers are used no more
    asked.clear()
    monkeypatch.setattr(module, "SLOW_S", 60.0)  # nobody's place is given on meanwhile
    again = await start(resolver, "dead", AT_ONCE)
    async with asyncio.timeout(20):
        assert await resolver.resolve("localhost", 443)
    assert len(asked) == SLOW_AT_ONCE + 1
    await end(again)


async def test_a_name_that_answers_again_is_like_any_other(asked: list[str], resolver: Resolver) -> None:
    resolver._note_as_slow("localhost", asyncio.get_running_loop().time())
    assert await resolver.resolve("localhost", 443)
    assert not resolver._slow
