"""Thousands of clients that listen to streams, in a process of their own.

Reads orders as lines of JSON and answers each with one:
``{"do": "open", "port": …, "path": …, "headers": [{…}, …]}`` opens a stream per set of headers,
``{"do": "count"}`` tells how many notices have come, ``{"do": "arrivals"}`` which: ``[stream, key, Unix
seconds]`` for each whose data has a ``key``, and how many streams were lost; ``{"do": "close"}`` closes all.
With a ``pattern`` in the order to open, what it finds in events stands for keys.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import uvloop

from config.limits import allow_many_connections

NOTICE = r'^event: notice\ndata: .*"key": ?(\d+)'
# So many open at a time, as browsers do that come back after a server was away.
AT_ONCE = 32
HOST = "127.0.0.1"


class Stream(asyncio.Protocol):
    """One stream: notes when which notice came."""

    def __init__(
        self, number: int, arrivals: list[tuple[int, int, float]], pattern: re.Pattern[bytes]
    ) -> None:
        self.is_open = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._number = number
        self._arrivals = arrivals
        self._pattern = pattern
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._rest += data
        if not self.is_open.done() and b"\n\n" in self._rest:
            self._begin()
        whole, end, rest = self._rest.rpartition(b"\n\n")
        if end:
            self._rest = rest
            for key in self._pattern.findall(whole):
                self._arrivals.append((self._number, int(key), now))

    def _begin(self) -> None:
        status = self._rest.partition(b"\r\n")[0]
        if b" 200 " in status:
            self.is_open.set_result(None)
        else:
            self.is_open.set_exception(RuntimeError(f"a stream was answered with {status!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_open.done():
            self.is_open.set_exception(RuntimeError("a stream was closed before it began"))


class Listeners:
    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.arrivals: list[tuple[int, int, float]] = []

    async def open(
        self, port: int, path: str, headers: Sequence[Mapping[str, str]], pattern: str = NOTICE
    ) -> dict[str, Any]:
        started, room = time.perf_counter(), asyncio.Semaphore(AT_ONCE)
        compiled = re.compile(pattern.encode(), re.MULTILINE)

        async def open_one(number: int, given: Mapping[str, str]) -> Stream:
            lines = [f"GET {path.format(number)} HTTP/1.1", f"Host: {HOST}", "Accept: text/event-stream"]
            lines += [f"{name}: {value}" for name, value in given.items()]
            async with room:
                loop = asyncio.get_running_loop()
                transport, stream = await loop.create_connection(
                    lambda: Stream(number, self.arrivals, compiled), HOST, port
                )
                transport.write("\r\n".join([*lines, "", ""]).encode())
                await stream.is_open
            return stream

        self.streams = await asyncio.gather(*(open_one(number, each) for number, each in enumerate(headers)))
        return {"seconds": time.perf_counter() - started}

    def told(self) -> dict[str, Any]:
        lost = sum(stream.transport.is_closing() for stream in self.streams)
        return {"arrivals": self.arrivals, "lost": lost}

    def close(self) -> dict[str, Any]:
        for stream in self.streams:
            stream.transport.abort()
        self.streams, self.arrivals = [], []
        return {}

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        match order.pop("do"):
            case "open":
                return await self.open(**order)
            case "count":
                return {"count": len(self.arrivals)}
            case "arrivals":
                return self.told()
            case _:
                return self.close()


async def main() -> None:
    allow_many_connections()
    listeners, loop = Listeners(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await listeners.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
