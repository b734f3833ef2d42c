"""What the operating system allows a process, and what the process gives back to it."""

import ctypes
import resource
from typing import Final

# mallopt(3), glibc's: from which size on an allocation is a mapping of its own, and when the rest goes back.
_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1
_THRESHOLD: Final = 128 * 1024


def allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: a thousand connections are as many sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def give_back_large_blocks() -> None:
    """Return what large bodies took to the system as soon as they are gone.

    By itself glibc keeps ever larger blocks for each thread: hostile bodies left a web process with 110 MB
    more, and leave it with 25 now. Other C libraries do nothing here.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, _THRESHOLD)
