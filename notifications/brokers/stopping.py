"""Being told to stop: what a signal's handler may set, which of threading.Event is not so sure."""

import math
import time
from typing import Final

STEP_S: Final = 0.2


class Stop:
    """A flag that is set once. Setting takes no lock, so that a handler can interrupt a wait for it."""

    def __init__(self) -> None:
        self._is_set = False
        #: When it was set, by the monotonic clock; never, as long as it is not.
        self.since = math.inf

    def set(self) -> None:
        if not self._is_set:
            self.since, self._is_set = time.monotonic(), True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for it for at most so long; returns whether it is set."""
        end = time.monotonic() + seconds
        while not self._is_set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, STEP_S))
        return self._is_set
