"""Throwaway instance directories, which are gone with the benchmark that made them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config import embedded
from config.processes import REPOSITORY

# Under var/ and not in /tmp, which may be memory: the database must pay for a real disk.
PARENT = REPOSITORY / "var" / "benchmarks"


@contextmanager
def throwaway(name: str) -> Iterator[Path]:
    """Yield an empty home; afterwards stop the embedded servers in it and delete it."""
    _sweep()
    home = PARENT / f"{name}-{os.getpid()}"
    home.mkdir(parents=True)
    # The embedded servers run as another user when we are root, who needs a way in.
    for directory in (PARENT, home):
        directory.chmod(0o755)
    try:
        yield home
    finally:
        _remove(home)


def _sweep() -> None:
    """Remove what a benchmark left behind that was killed before it could clean up."""
    if not PARENT.is_dir():
        return
    for home in PARENT.iterdir():
        pid = home.name.rpartition("-")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            _remove(home)


def _remove(home: Path) -> None:
    embedded.destroy(at=home)
    shutil.rmtree(home, ignore_errors=True)
