"""A client of the stream that does what a browser's EventSource does, but never comes back by itself."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import parse_headers
from types import TracebackType
from typing import Any, Self

PATH = "/api/v1/inbox/stream/"
# Reached only where something is broken.
TIMEOUT_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: Any
    id: str | None


class Listening:
    """An open stream; a thread reads it. ``events`` are complete ones only, as the standard has it.

    ``is_whole`` says whether the server ended it in good order.
    """

    def __init__(
        self,
        port: int,
        headers: Mapping[str, str],
        *,
        query: str = "",
        method: str = "GET",
        path: str = PATH,
    ) -> None:
        self.events: list[Event] = []
        self.comments = 0
        self.retry_ms: list[int] = []
        self.last_event_id: str | None = None
        self.has_ended = self.is_whole = False
        self._changed = threading.Condition()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=3 * TIMEOUT_S)
        sent = {"Host": "localhost", "Accept": "text/event-stream", **headers}
        lines = [f"{method} {path}{query} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = parse_headers(self._file)
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.status == 200 and method == "GET":
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def drop(self) -> None:
        """Lose the connection."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident:
            self._thread.join(TIMEOUT_S)
        self._file.close()
        self._socket.close()

    # --- What has come ---------------------------------------------------------------------------------

    @property
    def notices(self) -> list[dict[str, Any]]:
        return [event.data for event in list(self.events) if event.name == "notice"]

    @property
    def numbers(self) -> list[int]:
        return [each["number"] for each in self.notices]

    @property
    def unread(self) -> list[int]:
        return [event.data["unread"] for event in list(self.events) if event.name == "unread"]

    # --- Waiting ---------------------------------------------------------------------------------------

    def wait_for(self, condition: Callable[[], bool], timeout: float = TIMEOUT_S) -> None:
        """Wait for something about the stream, which is seen at once, or about something else."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                assert time.monotonic() < deadline, (
                    f"not within {timeout} s; ended: {self.has_ended}, events: {self.events[-5:]}"
                )
                self._changed.wait(POLL_S)

    def wait_until_open(self) -> Self:
        """Wait for the first event, from which on nothing can be missed."""
        self.wait_for(lambda: bool(self.events))
        return self

    def wait_for_number(self, number: int) -> None:
        self.wait_for(lambda: number in self.numbers)

    def wait_for_items(self, count: int) -> None:
        self.wait_for(lambda: len(self.numbers) >= count)

    def wait_for_unread(self, count: int) -> None:
        self.wait_for(lambda: self.unread[-1:] == [count])

    def wait_until_ended(self) -> None:
        self.wait_for(lambda: self.has_ended)

    # --- Reading ---------------------------------------------------------------------------------------

    def _read(self) -> None:
        text = b""
        with suppress(OSError, ValueError):
            for chunk in self._chunks():
                *blocks, text = (text + chunk).split(b"\n\n")
                for block in blocks:
                    self._take(block.decode().split("\n"))
        with self._changed:
            self.has_ended = True
            self._changed.notify_all()

    def _chunks(self) -> Iterator[bytes]:
        """Take the chunks of the body; a connection that is lost makes a size that is no number."""
        while size := int(self._file.readline(), 16):
            yield self._file.read(size)
            self._file.readline()
        self.is_whole = True

    def _take(self, lines: list[str]) -> None:
        fields: dict[str, str] = {}
        with self._changed:
            for line in lines:
                name, _, value = line.partition(":")
                if name:
                    fields[name] = value.removeprefix(" ")
                else:
                    self.comments += 1
            if "retry" in fields:
                self.retry_ms.append(int(fields["retry"]))
            if "id" in fields:
                self.last_event_id = fields["id"]
            if "data" in fields:
                self.events.append(Event(fields["event"], json.loads(fields["data"]), fields.get("id")))
            self._changed.notify_all()
