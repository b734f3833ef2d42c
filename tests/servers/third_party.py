"""A third party to post to: records what it gets, answers as told, and is cheap enough to be a sink.

In a thread: ``with ThirdParty() as server``. As a process: ``python -m tests.servers.third_party --port N``,
which prints "listening on PORT" and is asked by ``GET /stats`` (``?full=1``), ``POST /reset`` and
``POST /behave`` (a JSON object of path, or ``*``, and behaviour).
"""

import argparse
import asyncio
import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httptools
import uvloop

from tests.servers.behaviour import Behaviour, Reply, answer, parse
from tests.servers.threaded import ThreadedServer

BATCHES = ("application/cloudevents-batch+json", "application/x-ndjson")


class Request:
    """One request as it arrived. What is costly to parse is parsed when asked for."""

    __slots__ = ("_headers", "at", "body", "method", "order", "path", "received_at")

    def __init__(
        self, order: int, path: str, headers: list[tuple[bytes, bytes]], body: bytes, method: str = "POST"
    ) -> None:
        self.method = method
        self.order = order
        #: time.time() and time.monotonic() of arrival.
        self.at = time.time()
        self.received_at = time.monotonic()
        self.path = path
        self._headers = headers
        self.body = body

    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case."""
        return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers}

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def delivery_id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def user(self) -> str | None:
        """Whom it is for: third party and webhook put that in different places."""
        try:
            body = self.json
            return body.get("target_user_uuid") or body["data"]["user_id"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @property
    def told(self) -> list[tuple[str, Any]]:
        """What it tells, as an id and the JSON of each delivery: of a batch several, else one."""
        return [(each["id"], each["data"]) for each in self.events] or [(self.delivery_id, self.json)]

    @property
    def events(self) -> list[Any]:
        """What is in a batch; none where it is no batch."""
        match self.headers.get("content-type"):
            case "application/cloudevents-batch+json":
                return list(self.json)
            case "application/x-ndjson":
                return [json.loads(line) for line in self.body.splitlines()]
            case _:
                return []

    @property
    def ids(self) -> list[str]:
        """Of the deliveries that it tells; what is single says that without its body."""
        if self.headers.get("content-type") in BATCHES:
            return [delivery for delivery, _ in self.told]
        return [self.delivery_id]

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.delivery_id, "user": self.user, "at": self.at, "path": self.path}


class ThirdParty(ThreadedServer):
    """An HTTP server. ``requests`` holds what has arrived, in order."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        super().__init__(port, host=host)
        self.requests: list[Request] = []
        #: Of the request that is being recorded.
        self.method = "POST"
        #: Where set, what has come in since somebody last took it.
        self.journal: list[Request] | None = None
        self._default: Behaviour = parse("ok")
        self._behaviours: dict[str, Behaviour] = {}
        self._open: set[Connection] = set()

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where the product's third party listens by default."""
        return f"{self.origin}/webhook/notifications/"

    def behave(self, behaviour: str | Behaviour, *, path: str | None = None) -> None:
        """Answer so from now on (see `behaviour.parse`), on one path or on all without one of their own."""
        parsed = parse(behaviour) if isinstance(behaviour, str) else behaviour
        if path is None:
            self._default = parsed
        else:
            self._behaviours[path] = parsed

    def reset(self) -> None:
        """Forget every request; go on behaving as told."""
        self.requests = []

    def counts(self) -> Counter[str]:
        """How often each delivery arrived, by its id."""
        return Counter(delivery for request in list(self.requests) for delivery in request.ids)

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Request]:
        """Return the requests once there are so many.

        Raises:
            TimeoutError: there are fewer after so many seconds.
        """
        self.wait_until(
            lambda: len(self.requests) >= count,
            timeout,
            lambda: f"{len(self.requests)} of {count} requests",
        )
        return list(self.requests)

    def stats(self, *, full: bool = False) -> dict[str, Any]:
        """Count, distinct ids and first and last arrival (time.time()); in full, every request too."""
        requests = self.requests
        result: dict[str, Any] = {
            "count": len(requests),
            "distinct": len({request.delivery_id for request in requests}),
            "first": requests[0].at if requests else None,
            "last": requests[-1].at if requests else None,
        }
        if full:
            result["requests"] = [request.as_dict() for request in requests]
        return result

    def record(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
        """Keep a request, and say how to answer it."""
        request = Request(len(self.requests), path, headers, body, self.method)
        self.requests.append(request)
        if self.journal is not None:
            self.journal.append(request)
        self.changed()
        return self._behaviours.get(path, self._default)(request)

    def new_connection(self) -> asyncio.Protocol:
        return Connection(self, self._open)

    def cut_connections(self) -> None:
        for connection in list(self._open):
            connection.abort()

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def say(self, data: bytes) -> None:
        """Write something to every open connection, whether anybody asked or not."""
        self._loop.call_soon_threadsafe(self._say, data)

    def _say(self, data: bytes) -> None:
        for connection in list(self._open):
            connection.say(data)

    def hang_up(self) -> None:
        """End every connection once what was said on it is written."""
        self._loop.call_soon_threadsafe(self._end_connections)

    def _end_connections(self) -> None:
        for connection in list(self._open):
            connection.close()


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered in order."""

    def __init__(self, owner: ThirdParty, opened: set[Any]) -> None:
        self._owner = owner
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._opened.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._opened.discard(self)
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()

    def say(self, data: bytes) -> None:
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.write(answer(400))
            self._transport.close()

    # --- what httptools calls ---

    def on_message_begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path = self._url.decode()
        if path.startswith(("/stats", "/reset", "/behave")):
            self._transport.write(_control(self._owner, path, self._body))
            return
        self._owner.method = self._parser.get_method().decode()
        reply = self._owner.record(path, self._headers, self._body)
        if reply.delay_s is None:
            return
        if reply.delay_s:
            self._timer = asyncio.get_running_loop().call_later(reply.delay_s, self._answer, reply)
        else:
            self._answer(reply)

    # --- answering ---

    def _answer(self, reply: Reply) -> None:
        if reply.abort:
            self._transport.abort()
            return
        self._transport.write(reply.head)
        if reply.endless:
            self._task = asyncio.get_running_loop().create_task(self._flood(reply.endless, reply.pause_s))

    async def _flood(self, chunk: bytes, pause_s: float) -> None:
        while not self._transport.is_closing():
            if self._transport.get_write_buffer_size() < 2**20:
                self._transport.write(chunk)
            await asyncio.sleep(pause_s)


def _control(server: ThirdParty, target: str, body: bytes) -> bytes:
    parts = urlsplit(target)
    result: dict[str, Any] = {}
    if parts.path == "/stats":
        result = server.stats(full="full" in parse_qs(parts.query))
    elif parts.path == "/reset":
        server.reset()
    else:
        for path, behaviour in json.loads(body).items():
            server.behave(behaviour, path=None if path == "*" else path)
    return answer(200, "Content-Type: application/json", body=json.dumps(result).encode())


async def _main(port: int, record: Path | None) -> None:
    server = ThirdParty(port)
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    writing = asyncio.create_task(_keep_writing(server, record)) if record else None
    await server.serve(listening=lambda: print(f"listening on {server.port}", flush=True), until=stop)
    if record and writing:
        writing.cancel()
        _write(server, record)


async def _keep_writing(server: ThirdParty, record: Path) -> None:
    """Write what is new twice a second, so that a killed server leaves a record too."""
    server.journal = []
    while True:
        await asyncio.sleep(0.5)
        _write(server, record)


def _write(server: ThirdParty, record: Path) -> None:
    fresh, server.journal = server.journal or [], []
    with record.open("a") as file:
        file.writelines(json.dumps(request.as_dict()) + "\n" for request in fresh)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--record", type=Path, help="append a JSON line per request to this file")
    options = arguments.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main_runner:
        main_runner.run(_main(options.port, options.record))
