"""A connection that is kept for long must not stay with a server that no longer takes writes."""

from collections.abc import Mapping
from typing import Any

import psycopg
from django.db.backends.postgresql import base

# One round trip, as the SELECT 1 of Django that it stands for. Whatever has left the session not waiting
# for the disk, it ends here: only single transactions may do that.
_LOOK = "SHOW transaction_read_only; RESET synchronous_commit"


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

    def is_usable(self) -> bool:
        """Whether the connection works and can write; asked before a request or job, and after an error.

        After a failover it may be with the primary of old, or a standby: a new one finds the new primary.
        """
        if self.connection is None:
            return False
        try:
            with self.connection.cursor() as cursor:
                row = cursor.execute(_LOOK, prepare=False).fetchone()
        except psycopg.Error:
            return False
        return bool(row == ("off",))
