"""PostgreSQL and Redis without an installation: the real servers, out of PyPI wheels.

Each instance directory ("home") has servers of its own, reached over unix sockets only, Redis by a password
that is kept there. They outlive whoever started them: the next command finds them up.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.embedded import postgres as _postgres
from config.embedded import redis as _redis
from config.embedded.instance import EmbeddedError as EmbeddedError
from config.embedded.instance import Instance, default_home

Server = Literal["postgres", "redis"]


@dataclass(frozen=True)
class Status:
    """The process id of each server that answers, None of one that does not."""

    home: Path
    postgres: int | None
    redis: int | None


def home() -> Path:
    """The instance directory: `TOCSIN_HOME`, else `var/` in the checkout."""
    given = os.environ.get("TOCSIN_HOME")
    return Path(given).expanduser().resolve() if given else default_home()


def database_url(*, at: Path | None = None) -> str:
    """`postgresql://tocsin@/tocsin?host=<percent-encoded socket directory>`, for libpq and Django alike."""
    return _postgres.url(_instance(at))


def redis_url(*, at: Path | None = None) -> str:
    """`unix://:<password>@<percent-encoded socket path>?db=0`; makes the password where there is none yet."""
    return _redis.url(_instance(at))


def ensure_running(*, postgres: bool = True, redis: bool = True, at: Path | None = None) -> bool:
    """Start what is not up; safe to race, and quick where all is. Answers whether anything was down."""
    instance = _instance(at)
    if instance.is_claimed() and (
        (not postgres or _postgres.running_pid(instance) is not None)
        and (not redis or _redis.running_pid(instance) is not None)
    ):
        return False
    instance.prepare()
    with instance.locked():
        instance.claim_directories()
        if postgres:
            _postgres.start(instance)
        if redis:
            _redis.start(instance)
    return True


def start_postgres(*, at: Path | None = None) -> None:
    ensure_running(redis=False, at=at)


def start_redis(*, at: Path | None = None) -> None:
    ensure_running(postgres=False, at=at)


def stop(*, postgres: bool = True, redis: bool = True, at: Path | None = None) -> None:
    """Stop the servers of this home, and of no other; nothing happens to one that is down."""
    instance = _instance(at)
    if not instance.home.is_dir():
        return
    with instance.locked():
        if redis:
            _redis.stop(instance)
        if postgres:
            _postgres.stop(instance)


def stop_redis(*, at: Path | None = None) -> None:
    stop(postgres=False, at=at)


def kill(server: Server, *, at: Path | None = None) -> None:
    """SIGKILL, for crash tests; of PostgreSQL the postmaster, whose orphans the next start sweeps away."""
    (_postgres if server == "postgres" else _redis).kill(_instance(at))


def status(*, at: Path | None = None) -> Status:
    instance = _instance(at)
    return Status(instance.home, _postgres.running_pid(instance), _redis.running_pid(instance))


def destroy(*, at: Path | None = None) -> None:
    """Stop the servers of this home and delete their data and logs. Other files stay."""
    instance = _instance(at)
    if instance.home.is_dir():
        stop(at=at)
    instance.delete_files()
    if instance.private.is_dir() and instance.private.stat().st_uid == os.geteuid():
        shutil.rmtree(instance.private)


def _instance(at: Path | None) -> Instance:
    return Instance.at(at.expanduser().resolve() if at else home())
