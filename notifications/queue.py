"""The queues as those use them who must not wait for them: one kept connection, short time limits."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import django_rq
import structlog
from django.db import transaction
from redis.exceptions import RedisError
from rq.serializers import DefaultSerializer, JSONSerializer

from config.redis import client

log = structlog.get_logger(__name__)

#: A worker takes from the first of its queues that has a job: what all deliveries hang on, then whatever
#: names no queue, then what may take minutes and can wait.
URGENT: Final = "urgent"
DEFAULT: Final = "default"
SLOW: Final = "slow"
#: A job of the slow queue goes on in another after so many seconds, so that others get their turn.
SLICE_S: Final = 2.0

# Where no serializer is named, as in its pages and its scheduler, RQ would unpickle what lies in Redis, and
# so run the code of whoever wrote it there.
DefaultSerializer.dumps = staticmethod(JSONSerializer.dumps)
DefaultSerializer.loads = staticmethod(JSONSerializer.loads)

Job = TypeVar("Job", bound=Callable[..., None])

_queues: dict[Callable[..., None], str] = {}
_by_name: dict[str, Callable[..., None]] = {}

# A job that has not been started by then was lost with its worker or its queue.
WAITING_S = 5

#: Returns the client that this process keeps.
redis = client


def channel(name: str, *, database: int | None = None) -> str:
    """Return the pub/sub channel of this name for a database of Redis, ours if none is given.

    Redis' databases share their channels, and two that share a Redis must not wake each other.
    """
    if database is None:
        database = redis().connection_pool.connection_kwargs.get("db") or 0
    return f"tocsin:{database}:{name}"


def hint(name: str, *messages: bytes, failed: str, **about: Any) -> None:
    """Publish messages on the channel of this name; whoever misses one looks by themselves, only later.

    Args:
        failed: what is logged, with what they are ``about``, where Redis is away.
    """
    try:
        with redis().pipeline(transaction=False) as pipe:
            for message in messages:
                pipe.publish(channel(name), message)
            pipe.execute()
    except RedisError as error:
        log.warning(failed, error=str(error), **about)


def on(name: str) -> Callable[[Job], Job]:
    """Make a function a job on the queue of this name: its arguments must be JSON's. Workers run no other."""

    def note(job: Job) -> Job:
        _queues[job] = name
        _by_name[f"{job.__module__}.{job.__qualname__}"] = job
        return job

    return note


def of(job: Callable[..., None]) -> str:
    """Return the name of the queue that a job waits on.

    Raises:
        KeyError: it is no job.
    """
    try:
        return _queues[job]
    except KeyError:
        name = f"{job.__module__}.{job.__qualname__}"
        raise KeyError(f"{name} is no job: put @queue.on(…) above it.") from None


def named(name: str) -> Callable[..., None] | None:
    """Return the job of a dotted name, or None if there is none."""
    return _by_name.get(name)


def known() -> list[Callable[..., None]]:
    return list(_queues)


def enqueue(job: Callable[..., None], *args: Any) -> None:
    """Put a job on its queue, now.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    queue = django_rq.get_queue(of(job), connection=redis(), commit_mode="auto")
    queue.enqueue(job, *args, result_ttl=60)


def enqueue_unless_waiting(name: str, job: Callable[..., None], *args: Any) -> None:
    """Put a job on its queue, unless one of this name waits there, which will do for this one too.

    The job has to call ``started(name)`` before it looks at anything. One that has started does not
    count: it may have looked before the caller's commit.

    Raises:
        redis.exceptions.RedisError: Redis is away.
    """
    if redis().set(f"tocsin:waiting:{name}", 1, nx=True, ex=WAITING_S):
        enqueue(job, *args)


def enqueue_on_commit(name: str, job: Callable[..., None], *args: Any, **about: Any) -> None:
    """Put a job on its queue like that, once the transaction under way is committed.

    Where Redis is away, that is logged with what the job is ``about``, and the sweep finds the row.
    """

    def enqueue() -> None:
        try:
            enqueue_unless_waiting(name, job, *args)
        except RedisError as error:
            log.warning("enqueue_failed", error=str(error), **about)

    transaction.on_commit(enqueue, robust=True)


def started(name: str) -> None:
    """Say that a job of this name waits no longer."""
    redis().delete(f"tocsin:waiting:{name}")
