"""Reads an iCalendar file in a process of its own, which has little: seconds, memory, and no settings.

What a hostile file costs, it costs there: neither the worker's sends nor its jobs wait for it.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from escalation.calendars.facts import Happening, Problem, Read

#: Seconds of a processor, seconds in all, while others have it, and memory.
CPU_S: Final = 10
LIMIT_S: Final = 60.0
MEMORY_BYTES: Final = 512 << 20
_ROOT: Final = Path(__file__).resolve().parents[2]


class Unreadable(Exception):
    """Why a file was not read, in words that hold nothing of it."""


def read_apart(content: bytes, *, time_zone: str, begin: datetime, end: datetime) -> Read:
    """Return what ``reading.read`` returns.

    Raises:
        Unreadable: it is no iCalendar file, or more than is read.
    """
    asked = {
        "time_zone": time_zone,
        "begin": begin.timestamp(),
        "end": end.timestamp(),
        "cpu_s": CPU_S,
        "memory_bytes": MEMORY_BYTES,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "escalation.calendars.reading"],
            input=json.dumps(asked).encode() + b"\n" + content,
            capture_output=True,
            cwd=_ROOT,
            env={"LANG": "C.UTF-8"},
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("it takes too long to read") from None
    if done.returncode < 0:
        raise Unreadable("it takes too long to read")
    if done.returncode:
        raise Unreadable("it can't be read within the memory that there is for it")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise Unreadable(answer["error"])
    return Read(
        [_happening(each) for each in answer["happenings"]], [Problem(*each) for each in answer["problems"]]
    )


def _happening(said: list[Any]) -> Happening:
    starts_at, ends_at, priority, emails, ids, summary = said
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (starts_at, ends_at))
    return Happening(begin, end, priority, tuple(emails), tuple(map(UUID, ids)), summary)
