"""A local destination as a process of its own, and what arrived there."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from benchmarks.children import ask, python, running
from benchmarks.product import BenchmarkError

LOOK_S = 0.05
# After the last expected arrival, so long is waited for one too many.
AFTERWARDS_S = 0.3


@dataclass(frozen=True, slots=True)
class Arrival:
    """One POST as the sink saw it: when (the machine's wall clock), its path, ``webhook-id`` and body."""

    at: float
    path: str
    webhook_id: str
    body: str


class Sink:
    """A handle on a running sink."""

    def __init__(self, process: Popen[str], origin: str) -> None:
        self._process = process
        self._origin = origin

    @property
    def pid(self) -> int:
        return self._process.pid

    def addresses(self, count: int, *, first: int = 0) -> list[str]:
        """One address per person: a path each, at one destination."""
        return [f"{self._origin}/people/{first + number}" for number in range(count)]

    def address_of(self, arrival: Arrival) -> str:
        return self._origin + arrival.path

    def reset(self) -> None:
        ask(self._process, {"do": "reset"})

    def count(self) -> int:
        return int(ask(self._process, {"do": "count"})["count"])

    def arrivals(self, *, bodies: bool = False) -> list[Arrival]:
        said = ask(self._process, {"do": "arrivals", "bodies": bodies})["arrivals"]
        return [Arrival(*each) for each in said]

    def wait_for(self, count: int, timeout_s: float) -> None:
        """Wait until so many have arrived.

        Raises:
            BenchmarkError: they have not, in that time.
        """
        deadline = time.monotonic() + timeout_s
        while (arrived := self.count()) < count:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"only {arrived:,} of {count:,} arrived within {timeout_s:.0f} s")
            time.sleep(LOOK_S)

    def measure(self, start: Callable[[], float], addresses: Sequence[str], timeout_s: float) -> float:
        """Return the seconds from a start to the last arrival, every address reached exactly once.

        ``start`` sets the work going and returns the time at which it began to.
        """
        self.reset()
        started_at = start()
        self.wait_for(len(addresses), timeout_s)
        time.sleep(AFTERWARDS_S)
        arrivals = self.arrivals()
        self.check_once(arrivals, addresses)
        return max(arrival.at for arrival in arrivals) - started_at

    def check_once(self, arrivals: Sequence[Arrival], addresses: Sequence[str]) -> None:
        """Check that every address was reached once, and no other.

        Raises:
            BenchmarkError: it was not.
        """
        seen = Counter(self.address_of(arrival) for arrival in arrivals)
        expected = Counter(addresses)
        if seen != expected:
            missing, extra = (expected - seen).total(), (seen - expected).total()
            raise BenchmarkError(f"{missing:,} deliveries never arrived, {extra:,} were one too many")


@contextmanager
def local_sink(logs: Path, *, host: str = "127.0.0.1", behave: str = "ok") -> Iterator[Sink]:
    """Run a sink for as long as the block lasts."""
    command = python("-m", "benchmarks.sink_server", "--host", host, "--behave", behave)
    with running(command, log=logs / "sink.log", piped=True) as process:
        yield Sink(process, f"http://{host}:{ask(process)['port']}")
