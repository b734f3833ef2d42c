"""A reader: the process that reads large uploads, within a limit of memory and one of time.

It knows no secret and has no connection. Of each upload it gets a head, and the pieces of the body up to an
empty one. It answers with a head and one frame for each column.
"""

import json
import resource
import signal
import sys
from datetime import datetime
from typing import IO, Any, Final

from django.conf import settings

from tracing.intake.bounds import NotReadable, TooMany
from tracing.intake.checking import BadRecords, records_of
from tracing.intake.frames import frame_read, frame_write
from tracing.intake.records import KEY

TOO_HEAVY: Final = "TooHeavy"


def main(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever interrupts the web process ends this one by the end of its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    settings.configure()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            head = json.loads(frame_read(requests))
            body = b"".join(iter(lambda: frame_read(requests), b""))
        except EOFError:
            return
        # What a large upload took is given back by ending.
        is_last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > memory_bytes // 2
        _answer(answers, head, body, is_last=is_last)
        if is_last:
            return


def _answer(answers: IO[bytes], head: dict[str, Any], body: bytes, *, is_last: bool) -> None:
    # The kernel ends the process then, whatever it is doing.
    signal.setitimer(signal.ITIMER_REAL, head["seconds"])
    for name, value in head["settings"].items():
        setattr(settings, name, value)
    columns: list[Any] = []
    try:
        records = records_of(body, head["media_type"], now=datetime.fromisoformat(head["now"]))
        said: dict[str, Any] = {"extras": list(records.extras), "intervals_differ": records.intervals_differ}
        columns = [*(getattr(records, name) for name in KEY), *records.extras.values()]
    except BadRecords as error:
        said = {"error": BadRecords.__name__, "faults": error.faults}
        columns = [error.bad]
    except (NotReadable, TooMany) as error:
        said = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        said = {"error": TOO_HEAVY}
    signal.setitimer(signal.ITIMER_REAL, 0)
    frame_write(answers, json.dumps(said | {"is_last": is_last}).encode())
    for column in columns:
        frame_write(answers, column.tobytes())
    answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
