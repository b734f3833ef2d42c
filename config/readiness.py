"""The checks behind ``/health/ready``: each bounded in time, each saying in words what is broken."""

from dataclasses import asdict
from functools import cache
from typing import Final

import psycopg
import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from config.findings import Check, Finding, Postgres, Servers, checks

TIMEOUT_S: Final = 2
#: Written at each look: a Redis may answer, and take no writes.
WRITTEN_KEY: Final = "tocsin:ready"

log = structlog.get_logger(__name__)


def findings() -> dict[str, dict[str, object]]:
    """Check everything that delivering needs; ``{"redis": {"ok": True, "detail": "answers"}, …}``."""
    client = Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=None
    )
    with client:
        servers = Servers(client, _connect)
        return {name: asdict(_try(check, servers)) for name, check in {**OWN, **checks}.items()}


def reachable() -> bool:
    """Whether PostgreSQL answers at all."""
    try:
        _connect().close()
    except psycopg.Error:
        return False
    return True


def _try(check: Check, servers: Servers) -> Finding:
    try:
        return check(servers)
    except psycopg.Error as error:
        return Finding(False, f"PostgreSQL can't be asked: {type(error).__name__}")
    except (RedisError, OSError) as error:
        return Finding(False, f"Redis can't be asked: {type(error).__name__}")
    except Exception as error:
        # Another version may have written what it reads: that hides nothing of the others.
        log.exception("readiness_check_failed")
        return Finding(False, f"This can't be checked: {type(error).__name__}, see the log")


def _connect() -> Postgres:
    """A connection of the check's own: the pool's may all be busy, and waits longer than a check may."""
    parameters = {
        key: value
        for key, value in connection.get_connection_params().items()
        if key not in ("pool", "cursor_factory", "context", "prepare_threshold")
    }
    return psycopg.connect(
        **{**parameters, "connect_timeout": TIMEOUT_S, "options": f"-c statement_timeout={TIMEOUT_S}s"}
    )


def postgresql(servers: Servers) -> Finding:
    with servers.postgres() as postgres:
        read_only = postgres.execute("SHOW transaction_read_only").fetchone() == ("on",)
    return Finding(False, "answers, but takes no writes") if read_only else Finding(True, "answers")


def migrations(servers: Servers) -> Finding:
    with servers.postgres() as postgres:
        applied = set(postgres.execute("SELECT app, name FROM django_migrations").fetchall())
    missing = sorted(f"{app}.{name}" for app, name in _migrations_on_disk() - applied)
    return Finding(False, f"not applied: {', '.join(missing)}") if missing else Finding(True, "all applied")


@cache
def _migrations_on_disk() -> set[tuple[str, str]]:
    return set(MigrationLoader(None).disk_migrations)


def redis(servers: Servers) -> Finding:
    servers.redis.ping()
    try:
        servers.redis.set(WRITTEN_KEY, "1", ex=60)
    except ResponseError as error:  # a replica, one whose disk or memory is full, …
        return Finding(False, f"answers, but takes no writes: {str(error)[:200]}")
    return Finding(True, "answers")


#: What everything hangs on; apps have the rest checked.
OWN: Final[dict[str, Check]] = {check.__name__: check for check in (postgresql, redis, migrations)}
