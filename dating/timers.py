"""Hints to look again at just that instant, which the schedule can't hit; the rows say what is due."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

#: Looks are a second apart; a little more, so that none falls between two of them.
HORIZON_S: Final = 1.5
_waiting: set[tuple[str, datetime]] = set()
_lock = threading.Lock()


def at(moment: datetime, name: str, hint: Callable[[], None], *, now: datetime) -> bool:
    """Call ``hint`` at a time that is near, once for each name and time; returns whether this is the once."""
    key = (name, moment)
    with _lock:
        if key in _waiting:
            return False
        _waiting.add(key)

    def ring() -> None:
        with _lock:
            _waiting.discard(key)
        try:
            hint()
        except RedisError as error:
            log.warning("dating_hint_failed", error=str(error))

    timer = threading.Timer(max((moment - now).total_seconds(), 0.0) + 0.002, ring)
    timer.daemon = True
    timer.start()
    return True
