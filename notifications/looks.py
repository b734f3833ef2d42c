"""What other apps have looked after every second, in the sweep's job: no entry of the schedule for each."""

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import DatabaseError

log = structlog.get_logger(__name__)

Look = Callable[[datetime], None]
_looks: list[Look] = []


def register(look: Look) -> Look:
    """Have a function called every second with the time; from ``AppConfig.ready`` of the app that needs it.

    It should cost next to nothing where there is nothing to do, and put what takes long into jobs of its own.
    """
    if look not in _looks:
        _looks.append(look)
    return look


def look(now: datetime) -> None:
    """Call all of them; one that fails leaves the others theirs, and its own error in the log."""
    for each in _looks:
        try:
            each(now)
        except DatabaseError:
            raise
        except Exception:
            log.exception("look_failed", look=f"{each.__module__}.{each.__qualname__}")
