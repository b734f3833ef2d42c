"""Name look-up in threads of its own, so that names that hang don't hold up the rest of the worker."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohappyeyeballs import AddrInfoType

# Look-ups at once. The event loops' own pools have as few as four threads, which four dead names would fill.
AT_ONCE = 64
# A look-up that takes longer, in seconds, lets the next one begin. For a while its name is then one of those
# that nobody answers for, which wait for each other and keep no other waiting.
SLOW_S, SLOW_FOR_S = 1.0, 300.0
SLOW_AT_ONCE = 16
# Threads in all: a name that hangs keeps one for as long as the system tries.
THREADS = 512
# For how long an answer is used again, in seconds; each connection is checked by itself all the same.
KEEP_S = 10.0


class Resolver:
    """The system's ``getaddrinfo``, asked once for those who ask at the same time."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="resolver")
        self._known: dict[tuple[str, int], tuple[float, asyncio.Future[list[AddrInfoType]]]] = {}
        self._places, self._places_of_slow = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(SLOW_AT_ONCE)
        #: Until when a name counts as slow.
        self._slow: dict[str, float] = {}

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Return every address of a host; raises OSError if it has none, or nobody answers."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        known = self._known.get((host, port))
        if known is None or known[0] < now:
            self._known = {key: each for key, each in self._known.items() if each[0] >= now}
            known = now + KEEP_S, asyncio.ensure_future(self.look_up(host, port))
            self._known[host, port] = known
        try:
            return await asyncio.shield(known[1])
        except OSError:
            self._known.pop((host, port), None)
            raise

    async def look_up(self, host: str, port: int) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        is_slow = self._slow.get(host, 0.0) > loop.time()
        async with self._places_of_slow if is_slow else self._places:
            looking = loop.run_in_executor(self._threads, _addresses, host, port)
            try:
                await asyncio.wait([looking], timeout=SLOW_S)
                if looking.done():
                    self._slow.pop(host, None)
                    return looking.result()
                self._note_as_slow(host, loop.time())
                if is_slow:
                    return await looking
            except asyncio.CancelledError:
                looking.cancel()
                raise
        return await looking

    def _note_as_slow(self, host: str, now: float) -> None:
        self._slow = {name: until for name, until in self._slow.items() if until > now}
        self._slow[host] = now + SLOW_FOR_S

    async def close(self) -> None:
        for _, looking in self._known.values():
            looking.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[AddrInfoType]:
    return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)]
