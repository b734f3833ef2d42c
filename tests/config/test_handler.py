"""An answer that goes on live has nothing of Django behind it."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from config.handler import Handler
from tests.config import live_urls

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/live/",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.config.live_urls"
    yield
    live_urls.kept.clear()
    live_urls.lives.clear()


async def answer(live: Any = None, *, path: str = "/live/", handler: Handler | None = None) -> list[Any]:
    """Have the handler answer; returns what it sent."""
    live_urls.lives.append(live)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await (handler or Handler())({**SCOPE, "path": path}, receive, send)
    return sent


async def test_it_begins_with_the_status_headers_and_cookies_of_the_response() -> None:
    async def live(start: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b"live"})

    start, body = await answer(live)
    headers = {name.lower(): value for name, value in start["headers"]}
    assert (start["type"], start["status"], body["body"]) == ("http.response.start", 200, b"live")
    assert headers[b"content-type"] == b"text/plain"
    assert headers[b"x-mine"] == "é".encode("latin1")
    assert headers[b"set-cookie"] == b"taste=sweet; HttpOnly; Path=/"
    assert headers[b"x-frame-options"] == b"DENY"  # the middleware had its say
    assert b"content-length" not in headers


@pytest.mark.slow
async def test_request_and_response_are_let_go_before_it_goes_on() -> None:
    left: list[Any] = []

    async def live(start: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        gc.collect()
        left.extend(each() for each in live_urls.kept)

    await answer(live)
    assert left == [None, None]


def test_without_an_event_loop_the_content_is_the_answer() -> None:
    live_urls.lives.append(None)
    assert Client().get("/live/").content == b"all of it"


@pytest.mark.django_db(transaction=True)
def test_each_thread_is_connected_before_the_first_request(settings: Any) -> None:
    settings.WEB_THREADS = 3
    ours = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT array_agg(pid) {ours}")
        before = cursor.fetchone()[0] or []
        handler = Handler()
        handler.connect()
        found: list[int] = []
        deadline = time.monotonic() + 60
        while len(found) < 3 and time.monotonic() < deadline:
            cursor.execute(f"SELECT pid {ours} AND pid <> ALL (%s)", [before])
            found = [pid for (pid,) in cursor.fetchall()]
        assert len(found) == 3
    together = threading.Barrier(3)
    for _ in range(3):
        handler._threads.submit(lambda: (together.wait(), connection.close()))
    handler._threads.shutdown()


@pytest.mark.django_db(transaction=True)
async def test_a_statement_that_takes_too_long_is_given_up_and_answered_with_503(settings: Any) -> None:
    settings.WEB_STATEMENT_TIMEOUT_S = 0.2
    async with asyncio.timeout(20):
        start, _ = await answer(path="/api/slow/")
    assert start["status"] == 503
    assert b"Retry-After" in dict(start["headers"])


@pytest.mark.django_db(transaction=True)
async def test_only_the_threads_that_answer_are_held_to_it() -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            (found,) = cursor.fetchone()
        connection.close()
        return str(found)

    assert await asyncio.wrap_future(Handler()._threads.submit(limit)) == "5s"
    assert await asyncio.to_thread(limit) == "0"


@pytest.mark.parametrize("path", ["/api/held/", "/live/"])
async def test_more_requests_than_may_wait_are_turned_away_at_once(settings: Any, path: str) -> None:
    settings.WEB_THREADS, settings.WEB_WAITING_MAX = 1, 2
    handler = Handler()
    live_urls.leave.clear()
    held = [asyncio.create_task(answer(path="/api/held/", handler=handler)) for _ in range(3)]
    try:
        await asyncio.to_thread(live_urls.entered.acquire)
        start, _ = await asyncio.wait_for(answer(path=path, handler=handler), 5)
        assert start["status"] == 503
        assert b"Retry-After" in dict(start["headers"])
        alive = asyncio.create_task(answer(path="/health/live", handler=handler))
    finally:
        live_urls.leave.set()
    assert [messages[0]["status"] for messages in await asyncio.gather(*held, alive)] == [200] * 4
    start, _ = await answer(path="/health/live", handler=handler)  # there is room again
    assert start["status"] == 200
