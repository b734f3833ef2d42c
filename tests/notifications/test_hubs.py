"""What Redis announces is heard, whatever happens to Redis meanwhile."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from redis import Redis
from redis.connection import parse_url

from notifications import hubs, queue

NAME = "hubs-test"


class Line:
    """A way to the real Redis that can go silent, as a line does behind which a machine was switched off."""

    def __init__(self, url: str) -> None:
        self._there = parse_url(url)
        self.is_silent = False
        self.connections = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if path := self._there.get("path"):
            there_reader, there_writer = await asyncio.open_unix_connection(path)
        else:
            there_reader, there_writer = await asyncio.open_connection(
                self._there["host"], self._there["port"]
            )
        await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if not self.is_silent:
                writer.write(data)
        writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_redis_that_goes_silent_is_left_and_found_again(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "AGAIN_S", 0.1)
    redis = Redis.from_url(settings.REDIS_URL)
    line, password = Line(settings.REDIS_URL), parse_url(settings.REDIS_URL).get("password", "")
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings.REDIS_URL = f"redis://:{password}@127.0.0.1:{port}"
    settings.STREAM_HEARTBEAT_S = 0.2
    heard: list[str] = []

    def take(message: Mapping[str, Any]) -> None:
        heard.append(message["data"].decode() if message["type"] == "message" else message["type"])

    listening = asyncio.create_task(hubs.listen(NAME, take))
    try:
        await until(lambda: heard == ["subscribe"])
        redis.publish(queue.channel(NAME), b"one")
        await until(lambda: "one" in heard)
        # A silence that is only one of nothing to say is none: the line answers when it is asked.
        await asyncio.sleep(1)
        assert "away" not in heard

        line.is_silent = True
        # Nor is a new subscription answered: it is given up, too, and tried again.
        await until(lambda: line.connections >= 3)
        assert "away" in heard
        line.is_silent = False
        await until(lambda: heard[-1] == "subscribe")
        redis.publish(queue.channel(NAME), b"two")
        await until(lambda: heard[-1] == "two")
    finally:
        listening.cancel()
        await asyncio.wait([listening])
        server.close()
