"""What a handler causes is handled next, in the worker that is at it, without a way through the queue.

One run at a time: where an event has several handlers, the others go through the queue, to other workers.
It stays a run of its own, with its claim, its commit and its retries; should the worker be lost in between,
the sweep finds it, as it finds a run whose job was lost. See docs/adr/0020.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID


class Following:
    """What the job of this thread has caused: ``run`` is what it does itself, once that is committed."""

    def __init__(self) -> None:
        self.run: UUID | None = None
        self.is_expected = False

    def next(self) -> UUID | None:
        run, self.run, self.is_expected = self.run, None, False
        return run


class _Here(threading.local):
    following: Following | None = None


_here = _Here()


@contextmanager
def here() -> Iterator[Following]:
    """Within this, what handlers cause is done by the caller, as far as ``Following.next`` tells it."""
    _here.following = Following()
    try:
        yield _here.following
    finally:
        _here.following = None


def expect() -> None:
    """Say that the transaction under way has caused a run."""
    if _here.following is not None:
        _here.following.is_expected = True


def is_expected() -> bool:
    """Whether this job goes on with a run that the transaction under way has caused."""
    return _here.following is not None and _here.following.is_expected


def take(run: UUID) -> bool:
    """Leave a committed run to the job under way; False where there is none, or it has one already."""
    if _here.following is None or _here.following.run is not None:
        return False
    _here.following.run = run
    return True
