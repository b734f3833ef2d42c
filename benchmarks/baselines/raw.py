"""Baseline `raw`: one process, aiohttp on uvloop, posts prepared bodies and does nothing else.

No database, no queue, no retries, no records: the ceiling for a sender written with aiohttp.
Reads an order as one line of JSON, prepares and warms up, answers, and then posts once for
every further line, which gives the concurrency; answers each with what came back.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import uvloop
from yarl import URL

Request = tuple[URL, bytes]


def requests_for(order: dict[str, Any]) -> list[Request]:
    """Prepare one request per address, with the body that ours sent to it."""
    return [
        (URL(address), body.encode())
        for address, body in zip(order["addresses"], order["bodies"], strict=True)
    ]


def session(connections: int, headers: dict[str, str]) -> aiohttp.ClientSession:
    """One session, with everything left out that a sender to known hosts can do without."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, limit_per_host=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )


async def post_all(http: aiohttp.ClientSession, prepared: list[Request], concurrency: int) -> Counter[int]:
    """Post every request once, so many at a time."""
    statuses: Counter[int] = Counter()
    left: Iterator[Request] = iter(prepared)

    async def keep_posting() -> None:
        # One shared iterator: cheaper than a task per request behind a semaphore.
        for url, body in left:
            async with http.post(url, data=body, allow_redirects=False) as response:
                await response.read()
                statuses[response.status] += 1

    await asyncio.gather(*(keep_posting() for _ in range(concurrency)))
    return statuses


async def serve(order: dict[str, Any]) -> None:
    prepared = requests_for(order)
    loop = asyncio.get_running_loop()
    async with session(order["most_connections"], order["headers"]) as http:
        _answer({"prepared": len(prepared)})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            turn = json.loads(line)
            started = time.perf_counter()
            statuses = await post_all(http, prepared[: turn["count"]], turn["concurrency"])
            _answer({"statuses": statuses, "seconds": time.perf_counter() - started})


def _answer(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    uvloop.run(serve(json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
