"""A connection that is kept for long must not stay with a server that no longer takes writes.

Each also says what time it is: see config/clock.py.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.postgresql import base

from config import clock

# One round trip, as the SELECT 1 of Django that it stands for. Whatever has left the session not waiting
# for the disk, it ends here: only single transactions may do that.
_LOOK = "SHOW transaction_read_only; RESET synchronous_commit"
_LOOK_AT_THE_CLOCK_TOO = (
    f"SELECT current_setting('transaction_read_only'), {clock.SERVER_TIME}; RESET synchronous_commit"
)


class DatabaseWrapper(base.DatabaseWrapper):
    """Connects anew where the server went away or is read-only."""

    #: PostgreSQL's settings for the sessions of this thread, such as its statement_timeout.
    session: Mapping[str, str] = {}

    def get_connection_params(self) -> dict[str, Any]:
        parameters = super().get_connection_params()
        options = [
            parameters.get("options", ""),
            *(f"-c {name}={value}" for name, value in self.session.items()),
        ]
        return {**parameters, "options": " ".join(filter(None, options))}

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self._look(_LOOK_AT_THE_CLOCK_TOO)  # always: it may be another server than before

    def is_usable(self) -> bool:
        """Whether it works and can write: after a failover it may be with a standby, and is opened anew."""
        if self.connection is None:
            return False
        try:
            return self._look(_LOOK_AT_THE_CLOCK_TOO if clock.is_stale() else _LOOK) == "off"
        except psycopg.Error:
            return False

    def _look(self, statement: str) -> str:
        """Return whether the server is read-only, "on" or "off"; measure the clock where it says the time."""
        with self.connection.cursor() as cursor:
            asked_at = clock.elapsed()
            is_read_only, *server_time = cursor.execute(statement, prepare=False).fetchone()
            if server_time:
                clock.measured(server_time[0], asked_at=asked_at, answered_at=clock.elapsed())
        return str(is_read_only)


def set_session(**settings: str) -> DatabaseWrapper:
    """Have this thread's connection, which is returned, begin its sessions with these settings."""
    own = connections["default"]
    assert isinstance(own, DatabaseWrapper)
    own.session = settings
    return own
