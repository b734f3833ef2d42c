"""The process hears at once that it is to stop, and still stops as the server has it."""

import asyncio
import importlib
import os
import resource
import signal
import threading
from typing import Any

import pytest

import config.asgi
from config.lifespan import Lifespan


class Server:
    """What a server does to an application that it starts and stops."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.started = False
        self.sent: list[str] = []
        self._tell: asyncio.Queue[str] = asyncio.Queue()
        self.application = Lifespan(
            self.answer,
            on_starting=self.on_starting,
            on_stopping=self.on_stopping,
            on_stopped=self.on_stopped,
        )

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.heard.append(scope["type"])

    def on_starting(self) -> None:
        self.started = True

    def on_stopping(self) -> None:
        self.heard.append("stopping")

    async def on_stopped(self) -> None:
        self.heard.append("stopped")

    async def receive(self) -> Any:
        return {"type": await self._tell.get()}

    async def send(self, message: Any) -> None:
        self.sent.append(message["type"])

    async def start(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.application({"type": "lifespan"}, self.receive, self.send))
        self._tell.put_nowait("lifespan.startup")
        while not self.sent:
            await asyncio.sleep(0)
        return task

    async def stop(self, task: asyncio.Task[None]) -> None:
        self._tell.put_nowait("lifespan.shutdown")
        await task


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_is_heard_at_once_and_passed_on(number: signal.Signals) -> None:
    passed: list[int] = []
    before = signal.signal(number, lambda given, frame: passed.append(given))
    try:
        server = Server()
        task = await server.start()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(60):
            while not server.heard:
                await asyncio.sleep(0.01)
        assert (server.heard, passed) == (["stopping"], [number])
        await server.stop(task)
    finally:
        signal.signal(number, before)
    assert server.heard == ["stopping", "stopped"]
    assert server.sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_in_another_thread_signals_stay_as_they_are() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def live() -> list[str]:
        server = Server()
        await server.stop(await server.start())
        return server.heard

    heard: list[str] = []
    thread = threading.Thread(target=lambda: heard.extend(asyncio.run(live())))
    thread.start()
    thread.join()
    assert heard == ["stopped"]
    assert signal.getsignal(signal.SIGTERM) is before


async def test_the_application_prepares_itself_before_the_first_request() -> None:
    server = Server()
    task = await server.start()
    assert server.started
    await server.stop(task)


async def test_requests_are_the_application_s() -> None:
    server = Server()
    await server.application({"type": "http"}, server.receive, server.send)
    assert server.heard == ["http"]


def test_the_web_process_allows_itself_as_many_connections_as_the_system_does() -> None:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before, hard - 1), hard))
    importlib.reload(config.asgi)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
