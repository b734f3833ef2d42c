"""Watches how much memory processes hold, by looking often."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import psutil

EVERY_S = 0.05


class PeakMemory:
    """The largest resident set that any one of some processes had; a context manager.

    A process that is too short-lived or too quick for a look every 50 ms could hide a peak; a
    worker lives long, and its memory follows its rows, which come and go over seconds.
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def peak_mb(self) -> float:
        return self.peak_bytes / 1e6

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        for process in self._processes:
            try:
                held = process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.peak_bytes = max(self.peak_bytes, held)
