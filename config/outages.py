"""Which errors are outages of PostgreSQL or Redis, and no fault in what was asked."""

from typing import Final

from django.db import InterfaceError, InternalError, OperationalError
from redis.exceptions import RedisError

# PostgreSQL's codes of a server that takes no writes, and of a transaction that took too long.
_READ_ONLY: Final = "25006"
_TOO_LONG: Final = "25P04"


def is_outage(error: BaseException | None) -> bool:
    """Whether PostgreSQL or Redis is away, takes no writes or is too slow: the same may work later."""
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "sqlstate", None) in (_READ_ONLY, _TOO_LONG)
    # Psycopg's PoolTimeout, and a statement that was cut off, come as OperationalError too.
    return isinstance(error, OperationalError | InterfaceError | RedisError)
