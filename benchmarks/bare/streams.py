"""Streams and nothing else, for uvicorn: no accounts, no database; what to send comes over Redis.

A message is the number of a stream, a colon, and an event.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from redis import asyncio as aioredis

CHANNEL = "bare"
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Coroutine[Any, Any, None]]

streams: dict[int, Send] = {}
background: set[asyncio.Task[None]] = set()


def begin(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    background.add(task)
    task.add_done_callback(background.discard)


async def listen() -> None:
    async with aioredis.from_url(os.environ["BARE_REDIS_URL"]) as redis, redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        async for message in subscription.listen():
            if message["type"] == "message":
                number, _, event = message["data"].partition(b":")
                if send := streams.get(int(number)):
                    begin(send({"type": "http.response.body", "body": event, "more_body": True}))


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        begin(listen())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    if scope["path"] == "/":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
    number = int(scope["path"].strip("/"))
    streams[number] = send
    await receive()
    while (await receive())["type"] != "http.disconnect":
        pass
    streams.pop(number, None)
