"""The processes that read large uploads: started when they are needed, and kept for the next."""

import atexit
import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from functools import cache
from threading import BoundedSemaphore
from typing import IO, Any, Final

import numpy as np
import structlog
from django.conf import settings

from tracing.intake.bounds import PIECE_BYTES, NotReadable, TooMany
from tracing.intake.checking import BadRecords
from tracing.intake.frames import frame_read, frame_write
from tracing.intake.records import KEY, Records

log = structlog.get_logger(__name__)

MODULE: Final = "tracing.intake.apart"
# What reading depends on. A reader reads no environment of its own.
SETTINGS: Final = (
    "TRACING_CLOCK_SKEW_S", "TRACING_KEEP_POSITIONS", "TRACING_KEEP_SIGNAL", "TRACING_RETENTION_DAYS",
    "TRACING_UPLOAD_MAX_RECORDS",
)  # fmt: skip
ENVIRONMENT: Final = ("LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH")


class TooHeavy(Exception):
    """Reading an upload took more memory or time than it may."""

    def __init__(self) -> None:
        super().__init__("Reading the body takes too much memory or time: send fewer records at once.")


class Busy(Exception):
    """As many uploads are being read, or wait for that, as may be."""


class Reader:
    """One such process."""

    def __init__(self) -> None:
        memory_bytes = settings.TRACING_READER_MAX_MB * 1_000_000
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(memory_bytes)],
            cwd=settings.BASE_DIR,
            env={
                **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                # Its threads would wait for work that never comes, and count as memory.
                "OPENBLAS_NUM_THREADS": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.is_last = False

    def records_read(self, body: IO[bytes], media_type: str, now: datetime) -> Records:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        head = {
            "media_type": media_type,
            "now": now.isoformat(),
            "seconds": settings.TRACING_READER_TIMEOUT_S,
            "settings": {name: getattr(settings, name) for name in SETTINGS},
        }
        frame_write(requests, json.dumps(head).encode())
        while piece := body.read(PIECE_BYTES):
            frame_write(requests, piece)
        frame_write(requests, b"")
        requests.flush()
        said = json.loads(frame_read(answers))
        self.is_last = said["is_last"]
        return _records(said, lambda: frame_read(answers))

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """End it, if it has not ended by itself; returns its exit code, or minus the signal that ended it."""
        self._process.kill()
        self._process.communicate()
        return self._process.returncode


class Readers:
    """A few readers, and those that wait for one."""

    def __init__(self) -> None:
        # The other threads are left to other requests.
        self._admitted = BoundedSemaphore(max(settings.TRACING_READERS, settings.WEB_THREADS // 2))
        self._free = BoundedSemaphore(settings.TRACING_READERS)
        self._idle: list[Reader] = []

    def records_read(self, body: IO[bytes], media_type: str, now: datetime) -> Records:
        if not self._admitted.acquire(blocking=False):
            raise Busy
        try:
            with self._free:
                return self._read(body, media_type, now)
        finally:
            self._admitted.release()

    def _read(self, body: IO[bytes], media_type: str, now: datetime) -> Records:
        reader = self._idle_one() or Reader()
        is_lost = False
        try:
            return reader.records_read(body, media_type, now)
        except (EOFError, OSError):
            is_lost = True
            # Where it was a fault of its own, the traceback is in the output of this process.
            log.warning("upload_reader_lost", media_type=media_type, exit_code=reader.end())
            raise TooHeavy from None
        finally:
            if reader.is_last and not is_lost:
                reader.end()
            elif not is_lost:
                self._idle.append(reader)

    def end(self) -> None:
        while self._idle:
            self._idle.pop().end()

    def _idle_one(self) -> Reader | None:
        with suppress(IndexError):
            while True:
                if (reader := self._idle.pop()).is_alive():
                    return reader
                reader.end()
        return None


@cache
def _readers() -> Readers:
    readers = Readers()
    atexit.register(readers.end)
    return readers


def records_read(body: IO[bytes], media_type: str, *, now: datetime) -> Records:
    """Have an upload read and checked by another process.

    Raises:
        TooHeavy: that took too much memory or time.
        Busy: too many wait for it.
        NotReadable, TooMany, BadRecords: as they are raised there.
    """
    return _readers().records_read(body, media_type, now)


def _records(said: dict[str, Any], column: Any) -> Records:
    match said.get("error"):
        case None:
            key = {name: np.frombuffer(column(), np.int64) for name in KEY}
            extras = {name: np.frombuffer(column(), np.float64) for name in said["extras"]}
            if "position" in extras:
                extras["position"] = extras["position"].reshape(-1, 2)
            return Records(**key, extras=extras, intervals_differ=said["intervals_differ"])
        case "BadRecords":
            faults = [(number, name, message) for number, name, message in said["faults"]]
            raise BadRecords(faults, np.frombuffer(column(), np.bool_))
        case "NotReadable":
            raise NotReadable(said["message"])
        case "TooMany":
            raise TooMany
        case _:
            raise TooHeavy
