"""The checks behind ``/health/ready``: each bounded in time, each saying in words what is broken."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from typing import Final

import psycopg
import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq_scheduler import Scheduler

from config import clock
from config.findings import WARNING, Finding
from notifications import troubles
from notifications.brokers import health as brokers_health
from notifications.exposition import workers_alive
from notifications.metrics import LAST_ATTEMPT_KEY, clock_skews
from notifications.selectors import DUE_SQL, Backlog
from notifications.standstill import standstill

TIMEOUT_S: Final = 2
#: Due for longer than this, with no attempt at anything for as long: nobody is sending.
STUCK_S: Final = 120.0
#: Written at each look: a Redis may answer, and take no writes.
WRITTEN_KEY: Final = "tocsin:ready"

log = structlog.get_logger(__name__)
Postgres = psycopg.Connection[tuple[object, ...]]


#: What domains have looked at besides, by the name of the component.
_more: dict[str, Callable[[Postgres], Finding]] = {}


def register(name: str, check: Callable[[Postgres], Finding]) -> None:
    """Have a component looked at too: by a function that asks PostgreSQL, on a connection of the check's own.

    For domains, from their ``AppConfig.ready``.
    """
    _more[name] = check


def findings() -> dict[str, dict[str, object]]:
    """Check everything that delivering needs; ``{"redis": {"ok": True, "detail": "answers"}, …}``."""
    found: dict[str, Finding] = {}
    redis = Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=None
    )
    with redis:
        found["postgresql"] = _try(postgresql)
        found["redis"] = _try(lambda: _redis(redis))
        found["migrations"] = _try(migrations)
        found["workers"] = _try(lambda: _workers(redis))
        found["scheduler"] = _try(lambda: _scheduler(redis))
        found["backlog"] = _try(lambda: _backlog(redis))
        found["brokers"] = _try(lambda: _brokers(redis))
        found["clocks"] = _try(lambda: _clocks(redis))
        found["channels"] = _try(lambda: _channels(redis))
    for name, check in _more.items():
        found[name] = _try(partial(_ask, check))
    return {name: asdict(finding) for name, finding in found.items()}


def _try(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
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


def _ask(check: Callable[[Postgres], Finding]) -> Finding:
    with _connect() as postgres:
        return check(postgres)


def postgresql() -> Finding:
    with _connect() as postgres:
        read_only = postgres.execute("SHOW transaction_read_only").fetchone() == ("on",)
    return Finding(False, "answers, but takes no writes") if read_only else Finding(True, "answers")


def reachable() -> bool:
    """Whether PostgreSQL answers at all."""
    try:
        _connect().close()
    except psycopg.Error:
        return False
    return True


def migrations() -> Finding:
    with _connect() as postgres:
        applied = set(postgres.execute("SELECT app, name FROM django_migrations").fetchall())
    missing = sorted(f"{app}.{name}" for app, name in _migrations_on_disk() - applied)
    return Finding(False, f"not applied: {', '.join(missing)}") if missing else Finding(True, "all applied")


@cache
def _migrations_on_disk() -> set[tuple[str, str]]:
    return set(MigrationLoader(None).disk_migrations)


def _redis(redis: Redis) -> Finding:
    redis.ping()
    try:
        redis.set(WRITTEN_KEY, "1", ex=60)
    except ResponseError as error:  # a replica, one whose disk or memory is full, …
        return Finding(False, f"answers, but takes no writes: {str(error)[:200]}")
    return Finding(True, "answers")


def _workers(redis: Redis) -> Finding:
    alive = workers_alive(redis, now=clock.now())
    return Finding(alive > 0, f"{alive} heard of in the last two minutes")


def _scheduler(redis: Redis) -> Finding:
    # A scheduler's key lives for its interval and ten seconds; one that left in good order says so.
    keys = list(redis.scan_iter(f"{Scheduler.redis_scheduler_namespace_prefix}*", count=1000))
    alive = sum(not redis.hexists(key, "death") for key in keys)
    return Finding(alive > 0, f"{alive} running")


def _backlog(redis: Redis) -> Finding:
    now = clock.now()
    with _connect() as postgres:
        due = Backlog.of(postgres.execute(DUE_SQL, {"now": now}).fetchall()[0], now=now)
    detail = f"{due.count} due, the oldest for {due.oldest_age_s:.0f} s"
    still = standstill(due, redis)
    if still.lost:
        return Finding(False, f"{detail}; {still.lost} have lost their lease, and no sweep sees to them")
    if still.untaken:
        return Finding(False, f"{detail}, and no sender looks for {still.untaken} of them")
    # An old backlog alone is no fault of ours: a destination that is away makes one. But then it is probed.
    last_attempt_at = float(redis.get(LAST_ATTEMPT_KEY) or 0)
    stuck = due.oldest_age_s > STUCK_S and clock.timestamp() - last_attempt_at > STUCK_S
    return Finding(not stuck, f"{detail}, and nothing is being sent" if stuck else detail)


def _brokers(redis: Redis) -> Finding:
    """Ask nobody but what the consumers and the publisher themselves have said lately."""
    return brokers_health.finding(redis)


def _channels(redis: Redis) -> Finding:
    """Name what does not get through. That breaks nothing here: another process would fare no better."""
    found = [str(each) for each in troubles.all_troubles(redis)]
    return Finding(True, f"{WARNING}{'; '.join(found)}" if found else "all get through")


def _clocks(redis: Redis) -> Finding:
    """Name the machines whose clocks are off. They break nothing: PostgreSQL's decides."""
    skewed = {
        process: skew_s for process, skew_s in clock_skews(redis).items() if abs(skew_s) > clock.SKEWED_S
    }
    detail = ", ".join(f"{process} by {skew_s:+.1f} s" for process, skew_s in sorted(skewed.items()))
    return Finding(True, f"{WARNING}off are {detail}; PostgreSQL's is used" if skewed else "right")
