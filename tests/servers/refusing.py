"""A port where nobody answers, and where nobody will while a test runs."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusing() -> Iterator[int]:
    """Yield a port of loopback that refuses every connection.

    It stays bound, without listening: a port that is only free at this moment may be the next one that the
    system gives to a server of another test.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])
