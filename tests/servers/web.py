"""The real server, in a thread."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def served(application: Any, *, before_end: Callable[[], None] | None = None) -> Iterator[int]:
    """Serve an ASGI application on loopback, as production does; yields the port.

    Args:
        before_end: called on the server's loop before it is told to stop, to let open streams go.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            application,
            loop="uvloop",
            http="config.protocol:Protocol",
            lifespan="on" if before_end else "off",
            # The levels that it would set would stay for other tests.
            log_config=None,
            access_log=False,
        )
        server = uvicorn.Server(config)
        run = asyncio.Runner(loop_factory=config.get_loop_factory())
        thread = threading.Thread(target=lambda: run.run(server.serve([listener])), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
        if before_end:
            run.get_loop().call_soon_threadsafe(before_end)
        server.should_exit = True
        thread.join(60)
        run.close()
