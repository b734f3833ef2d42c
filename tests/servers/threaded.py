"""A local server in a thread and on an event loop of its own: what is tested may block, or use any loop."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvloop


class ThreadedServer(ABC):
    """Listens on loopback within ``with``; ``port=0`` takes any free port, known once inside."""

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        #: Connections accepted so far.
        self.connections = 0
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._waiters = 0

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        if self._error:
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @abstractmethod
    def new_connection(self) -> asyncio.Protocol:
        """Return the protocol of a connection just accepted."""

    @abstractmethod
    def cut_connections(self) -> None:
        """End every connection at once."""

    async def serve(self, *, listening: Callable[[], None], until: asyncio.Event) -> None:
        """Listen until told to stop; then cut every connection."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, self.host, self.port, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        listening()
        await until.wait()
        server.close()
        self.cut_connections()
        await server.wait_closed()
        # One more turn, in which the connections' transports close.
        await asyncio.sleep(0)

    def changed(self) -> None:
        """Wake whoever waits for something to arrive."""
        if self._waiters:
            with self._changed:
                self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: Callable[[], str]) -> None:
        """Block until a condition is true.

        Raises:
            TimeoutError: it isn't after so many seconds.
        """
        with self._changed:
            self._waiters += 1
            try:
                if not self._changed.wait_for(condition, timeout):
                    raise TimeoutError(f"{what()} after {timeout} s")
            finally:
                self._waiters -= 1

    def _accept(self) -> asyncio.Protocol:
        self.connections += 1
        return self.new_connection()

    def _run(self, started: threading.Event) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            try:
                await self.serve(listening=started.set, until=self._stop)
            except OSError as error:  # such as: the port is taken
                self._error = error
                started.set()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
