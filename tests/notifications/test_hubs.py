"""What Redis announces is heard, whatever happens to Redis meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis import Redis
from redis.connection import parse_url

from config import clock
from notifications import hubs, queue
from notifications.engine import lane_news, wake
from notifications.engine.lane_news import CLOSED, LaneNews, News
from notifications.engine.peers import Peers

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


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    """The real one, without the line."""
    with Redis.from_url(settings.REDIS_URL) as client:
        yield client


@asynccontextmanager
async def through_a_line(settings: Any) -> AsyncIterator[Line]:
    """All that connects to Redis from here on does so by a line."""
    there = parse_url(settings.REDIS_URL)
    line = Line(settings.REDIS_URL)
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings.REDIS_URL = f"redis://:{there.get('password', '')}@127.0.0.1:{port}/{there.get('db', 0)}"
    try:
        yield line
    finally:
        server.close()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.slow
async def test_a_redis_that_goes_silent_is_left_and_found_again(
    settings: Any, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    monkeypatch.setattr(hubs, "AGAIN_S", 0.1)
    settings.STREAM_HEARTBEAT_S = 0.2
    heard: list[str] = []

    def take(message: Mapping[str, Any]) -> None:
        heard.append(message["data"].decode() if message["type"] == "message" else message["type"])

    async with through_a_line(settings) as line, running(hubs.listen(NAME, take)):
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


@pytest.mark.slow
async def test_senders_are_woken_again_after_redis_went_silent(
    settings: Any, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    monkeypatch.setattr(wake, "SUBSCRIBE_S", 0.2)
    looks: list[bool] = []

    def look(*, revocable: bool) -> None:
        looks.append(revocable)

    async with through_a_line(settings) as line, running(wake.listen(look)):
        await until(lambda: looks == [True])
        await asyncio.sleep(1)
        assert (looks, line.connections) == ([True], 1)
        line.is_silent = True
        await until(lambda: line.connections >= 2)
        line.is_silent = False
        # For what was published meanwhile, which nobody heard.
        await until(lambda: looks == [True, True])
        redis.publish(queue.channel(wake.CHANNEL), wake.ORDINARY)
        await until(lambda: looks[2:] == [False])


@pytest.mark.slow
async def test_workers_hear_of_lanes_again_after_redis_went_silent(
    settings: Any, monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    monkeypatch.setattr(lane_news, "SUBSCRIBE_S", 0.2)
    monkeypatch.setattr(lane_news, "RETRY_S", 0.1)
    mine = "https://hubs-test.example.com"
    heard: list[tuple[str, float]] = []

    def hear(news: News) -> None:
        if news.lane == mine:
            heard.append((news.channel, news.until))

    later = clock.timestamp() + 600
    async with through_a_line(settings) as line:
        peers = Peers()
        news = LaneNews(peers, clock.now, on_news=hear)
        try:
            async with running(news.listen_forever()):
                told = orjson.dumps((mine, "webhook", later, 0.0, "another"))
                await until(lambda: redis.publish(queue.channel(lane_news.CHANNEL), told) > 0 and bool(heard))
                line.is_silent = True
                connections = line.connections
                await until(lambda: line.connections > connections)
                redis.hset(CLOSED, mine, orjson.dumps((mine, "sms", later, 0.0, "another")))
                line.is_silent = False
                # It was told meanwhile, and nobody heard it.
                await until(lambda: heard[-1] == ("sms", later))
        finally:
            redis.hdel(CLOSED, mine)
            await peers.close()
